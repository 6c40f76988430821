import type { Scenario } from '../scenario.ts'
import type { Host } from '../stage.ts'

const HOSTS = 5
const CLIENTS = 40
const DOWN_MS = 1_500
const HUNG_MS = 6_000
/** One hangs at a time. */
const EVERY_MS = 3_500

/** The engine is a program of its own, as vLLM is: it crashes, or hangs, while the agent beside it lives. */
export const engineKills: Scenario = {
  name: 'engine-kills',
  about: 'engines are killed and come back, or hang for 6 s with their connections open, while their hosts stay linked',
  databases: ['sqlite'],
  long: { seconds: 60, count: 0 },
  short: { seconds: 5, count: 0 },
  async play(stage) {
    const hub = await stage.hub()
    const conduct = { tokensPerSecond: 100 }
    const fleet = await stage.fleet(hub, { hosts: HOSTS, apart: true, conduct })
    const client = await stage.client(hub)
    const load = stage.load({ clients: CLIENTS, mix: { tools: 10, json: 5, losses: null }, openai: () => client })
    const down = async ({ engines }: Host) => {
      await engines.kill()
      await Bun.sleep(DOWN_MS)
      await engines.restart()
      engines.set(0, conduct)
    }
    const hung = async ({ engines }: Host) => {
      engines.pause()
      await Bun.sleep(HUNG_MS)
      engines.resume()
    }
    await stage.during(EVERY_MS, (round) => {
      const host = fleet[round % HOSTS]!
      const kill = round % 2 === 0
      stage.logbook.fault(kill ? 'engine killed' : 'engine hung')
      stage.beside(kill ? down(host) : hung(host))
    })
    await load.stop()
    return {
      faults: ['engine killed', 'engine hung'],
      complete: CLIENTS,
      mayFail: { tools: ['upstream_error'], json: ['upstream_error'] },
      stallP99Ms: 3_500,
    }
  },
}
