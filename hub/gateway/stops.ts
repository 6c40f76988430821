// Stop strings in a text that comes in parts. Engines look for them too, but each only in its own words: one that
// begins in one host's and ends in the next one's is seen here alone.

/** Where in `text` the first of them begins; -1: none is in it. */
export function firstStop(text: string, stops: readonly string[]): number {
  let first = -1
  for (const stop of stops) {
    const at = text.indexOf(stop)
    if (at >= 0 && (first < 0 || at < first)) first = at
  }
  return first
}

/** Characters at the end of `text` with which one of them could begin: not to be shown until that is clear. */
export function charsOfBegunStop(text: string, stops: readonly string[]): number {
  for (let chars = Math.min(mostBegunChars(stops), text.length); chars > 0; chars--) {
    const end = text.slice(-chars)
    if (stops.some((stop) => stop.length > chars && stop.startsWith(end))) return chars
  }
  return 0
}

/** As many characters an engine holds back while it waits for one of them. */
export function mostBegunChars(stops: readonly string[]): number {
  return stops.reduce((most, stop) => Math.max(most, stop.length - 1), 0)
}
