/** Where to look next after a mistyped word: the nearest known one, if any is near, and the help. */
export function suggestion(word: string, known: readonly string[], path: string): string {
  const [nearest] = known
    .map((name) => ({ name, far: distance(word, name) }))
    .filter(({ name, far }) => far <= Math.max(2, name.length / 3))
    .sort((a, b) => a.far - b.far)
  return nearest ? `Did you mean ${nearest.name}? See: ${path} --help` : `See: ${path} --help`
}

/** Levenshtein distance, for words short enough to be mistyped. */
function distance(a: string, b: string): number {
  if (a.length > 40 || b.length > 40) return Number.POSITIVE_INFINITY
  let row = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, replaced)
    }
    row = next
  }
  return row[b.length]!
}
