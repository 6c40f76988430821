import type { Scenario } from '../scenario.ts'
import type { Wire } from '../proxy.ts'

const HOSTS = 5
const CLIENTS = 40
const SPELL_MS = 5_000

/** What home lines do. Each lasts a spell, then the wire is as before. */
const troubles: { what: string; begin(wire: Wire): void; end(wire: Wire): void }[] = [
  { what: 'link closed', begin: (wire) => wire.cut('close'), end: () => {} },
  { what: 'link half-open', begin: (wire) => wire.freeze(), end: (wire) => wire.thaw() },
  { what: 'link reset', begin: (wire) => wire.cut('reset'), end: () => {} },
  { what: 'link deaf to the hub', begin: (wire) => wire.freeze('down'), end: (wire) => wire.thaw() },
  { what: 'link slow', begin: (wire) => wire.narrow(4_000), end: (wire) => wire.narrow(null) },
  { what: 'link mute to the hub', begin: (wire) => wire.freeze('up'), end: (wire) => wire.thaw() },
  { what: 'link lagging', begin: (wire) => wire.lag(300), end: (wire) => wire.lag(0) },
  {
    what: 'link refused',
    begin(wire) {
      wire.refuse()
      wire.cut('reset')
    },
    end: (wire) => wire.admit(),
  },
]

export const badLinks: Scenario = {
  name: 'bad-links',
  about: 'links are cut, reset, refused, half-open, deaf or mute one way, slow and lagging, one of five at a time',
  databases: ['sqlite'],
  long: { seconds: 80, count: 0 },
  short: { seconds: 6, count: 0 },
  async play(stage) {
    const hub = await stage.hub()
    const fleet = await stage.fleet(hub, { hosts: HOSTS, wired: true, conduct: { tokensPerSecond: 100 } })
    const client = await stage.client(hub)
    const load = stage.load({ clients: CLIENTS, mix: { tools: 10, json: 5, losses: null }, openai: () => client })
    await stage.during(SPELL_MS, (round) => {
      const wire = fleet[round % HOSTS]?.wire
      const trouble = troubles[round % troubles.length]!
      if (!wire) throw new Error('this fleet is wired')
      trouble.begin(wire)
      stage.logbook.fault(trouble.what)
      stage.beside(Bun.sleep(SPELL_MS).then(() => trouble.end(wire)))
    })
    await load.stop()
    return {
      faults: troubles.slice(0, 2).map(({ what }) => what),
      complete: CLIENTS,
      mayFail: { tools: ['upstream_error'], json: ['upstream_error'] },
      stallP99Ms: 3_500,
    }
  },
}
