import type { ComponentChildren } from 'preact'
import type { RequestRow } from '../../hub/ledger/receipts.ts'
import { findOffer } from '../../hub/catalog/find.ts'
import { Amount } from '../parts/amount.tsx'
import { Table } from '../parts/table.tsx'
import { When } from '../parts/when.tsx'

/** A request that runs, or one that ended. */
export type Row =
  | { kind: 'running'; id: string; at: number; variant: string }
  | { kind: 'ended'; request: RequestRow; key: string }

export function rowOf(request: RequestRow, keyNames: Map<string, string>): Row {
  return { kind: 'ended', request, key: keyNames.get(request.keyId) ?? '–' }
}

export function Requests({ rows, empty }: { rows: Row[]; empty: ComponentChildren }) {
  return (
    <Table<Row>
      caption="Requests, newest first"
      empty={empty}
      rows={rows}
      columns={[
        {
          name: 'When',
          cell: (row) =>
            row.kind === 'running' ? (
              'now'
            ) : (
              <a href={`/client/requests/${row.request.id}`}>
                <When at={row.request.at} />
              </a>
            ),
        },
        {
          name: 'Model',
          cell: (row) => <Model variant={row.kind === 'running' ? row.variant : row.request.variant} />,
        },
        { name: 'Key', cell: (row) => (row.kind === 'running' ? '' : row.key) },
        {
          name: 'Tokens',
          number: true,
          cell: (row) =>
            row.kind === 'running'
              ? ''
              : (row.request.promptTokens + row.request.completionTokens).toLocaleString('en-US'),
        },
        { name: 'Cost', number: true, cell: (row) => (row.kind === 'running' ? '' : <Amount of={row.request.cost} />) },
        { name: 'Outcome', cell: (row) => <Outcome row={row} /> },
      ]}
    />
  )
}

export function Model({ variant }: { variant: string }) {
  const offer = findOffer(variant)
  const name = offer?.model.name ?? variant
  return (
    <>
      {name} {offer && <span class="tag">{offer.variant.precision}</span>}
    </>
  )
}

function Outcome({ row }: { row: Row }) {
  if (row.kind === 'running') return <>streaming…</>
  const { state, attempts, errorCode } = row.request
  if (state === 'failed') return <span class="bad">failed{errorCode !== null && `: ${errorCode}`}, not billed</span>
  if (state === 'lost') return <span class="warn">lost, refunded</span>
  if (state === 'cancelled') return <>stopped by you</>
  return <>completed{attempts > 1 && ` · moved ${attempts === 2 ? 'once' : `${attempts - 1} times`}`}</>
}
