import type { Scenario } from '../scenario.ts'

const HOSTS = 5
const CLIENTS = 50
/** A machine too busy to start hosts within seconds would end with none, which is another story. */
const SURVIVORS = 2

/** The power line of one host of five fails every second; its supervisor starts it again at once. */
export const hostKills: Scenario = {
  name: 'host-kills',
  about: 'one host of five is killed (SIGKILL) every second under 50 streams; nothing may fail',
  databases: ['sqlite'],
  long: { seconds: 60, count: 0 },
  short: { seconds: 4, count: 0 },
  async play(stage) {
    const hub = await stage.hub()
    const fleet = await stage.fleet(hub, { hosts: HOSTS, conduct: { tokensPerSecond: 100 } })
    const client = await stage.client(hub)
    const load = stage.load({ clients: CLIENTS, mix: { tools: 0, json: 0, losses: null }, openai: () => client })
    /** Longest first. */
    const up = fleet.map(({ machine }) => machine)
    await stage.during(1_000, async () => {
      if (up.length <= SURVIVORS) return stage.logbook.fault('kill put off, since too few hosts were back')
      const machine = up.shift()!
      await machine.kill()
      stage.logbook.fault('host killed')
      stage.beside(machine.start().then(() => up.push(machine)))
    })
    await load.stop()
    return { faults: ['host killed'], complete: 2 * CLIENTS, stallP99Ms: 3_500 }
  },
}
