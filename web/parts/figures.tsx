import type { ComponentChildren } from 'preact'

export interface Figure {
  label: string
  value: ComponentChildren
  /** What puts the figure into context: the period, the balance, the median. */
  note?: ComponentChildren
}

/** The two to four numbers a page's reader came for. */
export function Figures({ of }: { of: Figure[] }) {
  return (
    <dl class="figures">
      {of.map(({ label, value, note }) => (
        <div>
          <dt>{label}</dt>
          <dd class="figure">{value}</dd>
          {note !== undefined && <dd class="note">{note}</dd>}
        </div>
      ))}
    </dl>
  )
}
