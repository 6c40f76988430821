// Pictures of numbers, drawn on the server: a plot that stretches, words beside it that do not, a table behind it.
import type { ComponentChildren } from 'preact'

export interface Bar {
  label: string
  /** Parts of the whole, the largest group first; at most three. */
  parts: number[]
}

interface Charted {
  /** For those who cannot see it, and above the table. */
  caption: string
  /** What a value is called in words: `$0.60`. */
  format: (value: number) => string
}

const WIDTH = 1_000
const HEIGHT = 100
const LINES = 3

/** Amounts per period. `names` says what the parts are. */
export function Bars({ bars, names, caption, format }: Charted & { bars: Bar[]; names: string[] }) {
  const top = niceTop(Math.max(...bars.map(({ parts }) => sum(parts)), 0))
  const step = WIDTH / Math.max(bars.length, 1)
  return (
    <Plot caption={caption} format={format} top={top} labels={bars.map(({ label }) => label)} bars>
      {bars.map(({ label, parts }, i) => {
        let base = HEIGHT
        return parts.map((part, k) => {
          const height = (part / top) * HEIGHT
          base -= height
          return (
            <rect class={`bar${k}`} x={i * step + step * 0.2} y={base} width={step * 0.6} height={height}>
              <title>{`${label}, ${names[k] ?? ''}: ${format(part)}`}</title>
            </rect>
          )
        })
      })}
      <DataTable caption={caption} head={names} rows={bars.map(({ label, parts }) => [label, parts.map(format)])} />
    </Plot>
  )
}

/** A rate or a price over time; null where it is not known. */
export function Line({ points, caption, format, name }: Charted & { points: [string, number | null][]; name: string }) {
  const top = niceTop(Math.max(...points.map(([, value]) => value ?? 0), 0))
  const step = WIDTH / Math.max(points.length - 1, 1)
  let pen = 'M'
  const path = points
    .map(([, value], i) => {
      if (value === null) {
        pen = 'M'
        return ''
      }
      const drawn = `${pen}${(i * step).toFixed(1)} ${(HEIGHT - (value / top) * HEIGHT).toFixed(2)}`
      pen = 'L'
      return drawn
    })
    .join('')
  const rows = points.map(([label, value]): [string, string[]] => [label, [value === null ? '–' : format(value)]])
  return (
    <Plot caption={caption} format={format} top={top} labels={points.map(([label]) => label)}>
      <path class="line" d={path} />
      <DataTable caption={caption} head={[name]} rows={rows} />
    </Plot>
  )
}

function Plot({
  caption,
  format,
  top,
  labels,
  bars = false,
  children,
}: Charted & { top: number; labels: string[]; bars?: boolean; children: ComponentChildren }) {
  const [shapes, table] = split(children)
  const grid = Array.from({ length: LINES + 1 }, (_, i) => (HEIGHT * i) / LINES)
  const middle = labels[Math.floor(labels.length / 2)]
  const shown = labels.length > 7 ? [labels[0], middle, labels[labels.length - 1]] : labels
  return (
    <div class="stack">
      <div class="chart">
        <div class="scale" aria-hidden="true">
          {grid.map((_, i) => (
            <span>{format((top * (LINES - i)) / LINES)}</span>
          ))}
        </div>
        <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={caption}>
          {grid.map((y) => (
            <line class="grid" x1="0" x2={WIDTH} y1={y} y2={y} />
          ))}
          {shapes}
        </svg>
        <div class={bars && shown === labels ? 'days each' : 'days'} aria-hidden="true">
          {shown.map((label) => (
            <span>{label}</span>
          ))}
        </div>
      </div>
      {table}
    </div>
  )
}

/** The last child is the table, the rest are drawn. */
function split(children: ComponentChildren): [ComponentChildren[], ComponentChildren] {
  const all = Array.isArray(children) ? children : [children]
  return [all.slice(0, -1), all[all.length - 1]]
}

function DataTable({ caption, head, rows }: { caption: string; head: string[]; rows: [string, string[]][] }) {
  return (
    <details>
      <summary>As a table</summary>
      <table>
        <caption class="hidden">{caption}</caption>
        <thead>
          <tr>
            <th scope="col">When</th>
            {head.map((name) => (
              <th scope="col" class="number">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(([label, cells]) => (
            <tr>
              <th scope="row">{label}</th>
              {cells.map((cell) => (
                <td class="number">{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  )
}

/** The next of 3, 6, 9, 15, 30, … : a scale whose thirds are easy to read. */
export function niceTop(most: number): number {
  if (!(most > 0)) return 3
  const power = 10 ** Math.floor(Math.log10(most))
  const step = [1.5, 3, 6, 9, 15].find((each) => each * power >= most) ?? 15
  return step * power
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
