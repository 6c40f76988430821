// What went through by model or by key: what was asked, what it cost, what failed, and how soon answers began.
import { begunWithin, type Sums } from '../../hub/ledger/traffic.ts'
import { milliseconds, share, short, Total } from '../parts/amount.tsx'
import { Table } from '../parts/table.tsx'

export type Part = Sums & { name: string }

export function Breakdown({ rows, caption, head }: { rows: Part[]; caption: string; head: string }) {
  return (
    <Table
      caption={caption}
      empty={<p>Nothing in this time.</p>}
      rows={rows}
      columns={[
        { name: head, cell: ({ name }) => name },
        { name: 'Tokens', number: true, cell: (row) => short(row.promptTokens + row.completionTokens) },
        { name: 'Cost', number: true, cell: ({ cost }) => <Total of={cost} /> },
        { name: 'Requests', number: true, cell: (row) => short(asked(row) + row.cancelled) },
        { name: 'Errors', number: true, cell: (row) => <Errors of={row} /> },
        { name: 'First token, half', number: true, cell: (row) => <Begun of={row} share={0.5} /> },
        { name: '95 %', number: true, cell: (row) => <Begun of={row} share={0.95} /> },
      ]}
    />
  )
}

/** Requests whose end was not their client's doing. */
export function asked({ completed, failed, lost }: Sums): number {
  return completed + failed + lost
}

function Errors({ of }: { of: Sums }) {
  const errors = of.failed + of.lost
  if (errors === 0) return <span class="muted">0</span>
  const title = `${of.failed} failed, ${of.lost} lost or refunded, of ${asked(of)}; none of them is billed`
  return (
    <span class="warn" title={title}>
      {short(errors)} · {share(errors, asked(of))}
    </span>
  )
}

/** `≤ 300 ms`: so many of the answers had begun within that time. */
export function Begun({ of, share }: { of: Sums; share: number }) {
  const ms = begunWithin(of, share)
  if (ms === null) return <span class="muted">–</span>
  const many = `${share * 100} of 100 answers`
  const title = ms === Infinity ? `Fewer than ${many} began within 30 s` : `${many} began within ${milliseconds(ms)}`
  return <span title={title}>{ms === Infinity ? '> 30 s' : `≤ ${milliseconds(ms)}`}</span>
}
