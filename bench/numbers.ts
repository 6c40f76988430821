// Small statistics.

/** The middle; of two middles, their mean. NaN of nothing. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** Contention only adds to a latency: over several rounds the lower quartile is nearest to what is meant. */
export function lowerQuartile(values: readonly number[]): number {
  return quantile(values, 0.25)
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b)
  if (sorted.length === 0) return Number.NaN
  const at = (sorted.length - 1) * share
  const [low, high] = [sorted[Math.floor(at)]!, sorted[Math.ceil(at)]!]
  return low + (high - low) * (at - Math.floor(at))
}

/** How far rounds lie apart: (largest − smallest) / median. */
export function spread(values: readonly number[]): number {
  return (Math.max(...values) - Math.min(...values)) / median(values)
}

/** Least squares: `y ≈ base + slope · x`. */
export function fit(points: readonly { x: number; y: number }[]): { base: number; slope: number } {
  const n = points.length
  const mean = (of: (point: { x: number; y: number }) => number) => points.reduce((sum, p) => sum + of(p), 0) / n
  const [x, y] = [mean((p) => p.x), mean((p) => p.y)]
  const slope =
    points.reduce((sum, p) => sum + (p.x - x) * (p.y - y), 0) / points.reduce((sum, p) => sum + (p.x - x) ** 2, 0)
  return { base: y - slope * x, slope }
}
