// A machine's connection beside what is asked of it, for its owner and for the team.
import type { ListedHost } from '../../hub/fleet/list.ts'
import type { Least } from '../../hub/fleet/network.ts'
import { Section } from './heading.tsx'
import { Table } from './table.tsx'
import { When } from './when.tsx'

export function Network({ of: network, least }: { of: ListedHost['network']; least: Least }) {
  const known = (value: number | null | undefined, unit: string) =>
    value == null ? 'not measured' : `${value} ${unit}`
  const bad = (what: string) => network?.faults.some((fault) => fault.what === what) ?? false
  const rows = [
    { what: 'download', is: known(network?.downMbits, 'Mbit/s'), asked: `${least.downMbits} Mbit/s` },
    { what: 'upload', is: known(network?.upMbits, 'Mbit/s'), asked: `${least.upMbits} Mbit/s` },
    { what: 'round trip', is: known(network?.roundTripMs, 'ms'), asked: `at most ${least.roundTripMs} ms` },
    { what: 'link losses', is: `${network?.linkLosses ?? 0} in an hour`, asked: `fewer than ${least.linkLosses}` },
  ]
  return (
    <Section title="Network" note="as this hub measures it, all the time">
      {network && network.words !== '' && (
        <p class={`note-box ${network.state === 'below' ? 'bad' : 'warn'}`}>
          {network.words} <span class="muted small">Since</span> <When at={network.since} />
        </p>
      )}
      <Table
        caption="Network"
        empty={null}
        rows={rows}
        columns={[
          { name: 'What', cell: ({ what }) => what },
          { name: 'Measured', cell: ({ what, is }) => (bad(what) ? <strong class="bad">{is}</strong> : is) },
          { name: 'Asked', cell: ({ asked }) => asked },
        ]}
      />
    </Section>
  )
}

/** Beside the name of a machine in a list; nothing where all is well. */
export function NetworkTag({ of: network }: { of: ListedHost['network'] }) {
  if (!network || network.state === 'ok') return null
  return (
    <span class={`tag ${network.state === 'below' ? 'bad' : 'warn'}`} title={network.words}>
      {network.state === 'below' ? 'network below the minimum' : 'network: warned'}
    </span>
  )
}
