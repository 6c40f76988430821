import { ownServer } from '../../bin/postgres.ts'
import type { Scenario } from '../scenario.ts'

const HOSTS = 2
const CLIENTS = 20
const EVERY_MS = 6_000
const FROZEN_MS = [2_000, 15_000]
/** No hold can be taken, or no settlement made; nothing is billed. */
const AWAY = ['hub_unavailable']

/** The database is restarted, crashes and recovers, or stands still for longer than anybody waits. */
export const postgresOutages: Scenario = {
  name: 'postgres-outages',
  about: 'PostgreSQL is restarted, crashes, and stands still for 2 and 15 s under load; what is refused costs nothing',
  databases: ['postgres'],
  long: { seconds: 90, count: 0 },
  short: { seconds: 8, count: 0 },
  obstacle: () => (process.platform === 'linux' ? null : 'its processes can be stopped only on Linux'),
  async ground() {
    const server = await ownServer(process.env)
    return { databaseUrl: server.url, server, close: () => server.stop() }
  },
  async play(stage) {
    const harm = stage.ground?.server?.harm
    if (!harm) throw new Error('this stands on a server of its own')
    const hub = await stage.hub()
    await stage.fleet(hub, { hosts: HOSTS, conduct: { tokensPerSecond: 200 } })
    const client = await stage.client(hub)
    const load = stage.load({ clients: CLIENTS, streamed: 70, openai: () => client })
    await stage.during(EVERY_MS, async (round) => {
      await Bun.sleep(1_000)
      if (round % 4 === 0) {
        stage.logbook.fault('PostgreSQL restarted')
        await harm.restart('fast')
      } else if (round % 4 === 2) {
        stage.logbook.fault('PostgreSQL crashed')
        await harm.restart('immediate')
      } else {
        stage.logbook.fault('PostgreSQL frozen')
        harm.pause()
        await Bun.sleep(FROZEN_MS[round % 4 === 1 ? 0 : 1]!)
        harm.resume()
      }
    })
    await load.stop()
    return {
      faults: ['PostgreSQL restarted'],
      complete: 2 * CLIENTS,
      mayFail: { text: AWAY, tools: AWAY, json: AWAY },
    }
  },
}
