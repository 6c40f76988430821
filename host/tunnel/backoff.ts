const FIRST_MS = 500
/** While a hub may just be restarting … */
const EARLY_MS = 5_000
const EARLY_FAILURES = 12
/** … and when it has been away for longer. */
const MOST_MS = 30_000

/**
 * How long to wait before dial number `failures + 1`: "full jitter", uniform in [0, min(5 s, 0.5 s · 2^(failures−1))),
 * from the thirteenth on in [0, 30 s). All hosts of a hub that restarts come back spread out rather than at once.
 * `chance` is uniform in [0, 1).
 */
export function backoffMs(failures: number, chance: number): number {
  const most = failures <= EARLY_FAILURES ? EARLY_MS : MOST_MS
  return chance * Math.min(most, FIRST_MS * 2 ** Math.min(failures - 1, 30))
}
