// How many tokens texts have that were counted lately. A conversation comes again whole with every question in it, and
// an application sends the same first message all day.

/** A shorter one is counted as fast as it is looked up. */
const LEAST_CHARS = 64
/** Kept in each of two generations, two bytes a character at most. */
const MOST_CHARS = 4 * 1024 * 1024

export class Counts {
  private young = new Map<string, number>()
  private old = new Map<string, number>()
  private chars = 0

  /** @returns what `count` says, or said of the same text. `of`: the text that this one was cut out of, and keeps in memory */
  count(text: string, of: string, count: () => number): number {
    if (text.length < LEAST_CHARS) return count()
    const known = this.young.get(text)
    if (known !== undefined) return known
    const tokens = this.old.get(text) ?? count()
    this.chars += of.length
    if (this.chars > MOST_CHARS) {
      this.old = this.young
      this.young = new Map()
      this.chars = of.length
    }
    this.young.set(text, tokens)
    return tokens
  }
}
