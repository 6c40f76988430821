const FIRST_MS = 500
const MOST_MS = 30_000

/**
 * How long to wait before dial number `failures + 1`: "full jitter", uniform in [0, min(30 s, 0.5 s · 2^(failures−1))).
 * All hosts of a hub that restarts come back spread out rather than at once. `chance` is uniform in [0, 1).
 */
export function backoffMs(failures: number, chance: number): number {
  return chance * Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 30))
}
