// What a machine earns beside what it costs, so that whoever pays the rent sees whether it pays.
import type { HostWorth, Worth } from '../../hub/fleet/worth.ts'
import { formatUsd, sum } from '../../sdk/money.ts'
import type { Faults } from '../form.ts'
import { roundUsd, Total } from './amount.tsx'
import { TextField } from './field.tsx'
import { Table } from './table.tsx'

/** `path`: where each machine's own page is. */
export function Rents({ of: worths, path }: { of: HostWorth[]; path: string }) {
  return (
    <Table
      caption="Earned beside rent"
      empty={<p>No machine here costs rent or is the team’s own.</p>}
      rows={worths}
      columns={[
        {
          name: 'Machine',
          cell: ({ id, name, team }) => (
            <>
              <a href={`${path}/${id}`}>{name}</a> {team && <span class="tag quiet">the team’s</span>}
            </>
          ),
        },
        { name: 'Rent an hour', number: true, cell: ({ rent }) => (rent === 0n ? '–' : formatUsd(rent)) },
        { name: 'Today', number: true, cell: ({ spans }) => <Beside of={spans[0]} /> },
        { name: '7 days', number: true, cell: ({ spans }) => <Beside of={spans[1]} /> },
        { name: '30 days', number: true, cell: ({ spans }) => <Beside of={spans[2]} /> },
        { name: 'Does it pay?', cell: ({ spans }) => <Verdict of={spans[2]} /> },
      ]}
    />
  )
}

/** All of them together, in 30 days. */
export function RentTotal({ of: worths }: { of: HostWorth[] }) {
  const earned = sum(worths.map(({ spans }) => spans[2]?.earned ?? 0n))
  const rent = sum(worths.map(({ spans }) => spans[2]?.rent ?? 0n))
  return (
    <p class="muted small">
      In 30 days: {roundUsd(earned)} earned, {roundUsd(rent)} rent. <Verdict of={{ earned, rent }} />
    </p>
  )
}

function Beside({ of: worth = { earned: 0n, rent: 0n } }: { of: Worth | undefined }) {
  return (
    <>
      <Total of={worth.earned} /> <span class="muted">of</span> <Total of={worth.rent} />
    </>
  )
}

function Verdict({ of: worth = { earned: 0n, rent: 0n } }: { of: Worth | undefined }) {
  const left = worth.earned - worth.rent
  if (worth.rent === 0n) return <span class="muted">costs no rent</span>
  return left >= 0n ? (
    <span class="good">yes, {roundUsd(left)} over</span>
  ) : (
    <span class="bad">no, {roundUsd(-left)} short</span>
  )
}

export function RentField({ rent, faults }: { rent: string; faults: Faults | undefined }) {
  return (
    <TextField
      name="rent"
      label="What it costs you, $ an hour"
      value={rent}
      faults={faults}
      maxLength={20}
      placeholder="0.35"
      autocomplete="off"
      hint="As its provider charges it; empty for none. The first word of it counts from the machine’s first day."
    />
  )
}
