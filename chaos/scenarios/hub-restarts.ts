import type { Scenario } from '../scenario.ts'

const HOSTS = 4
const CLIENTS = 30
const EVERY_MS = 4_000
/** Of a deployment with one hub, while it is away. Nothing has begun by then. */
const AWAY = ['connection', 'no_capacity', 'hub_unavailable']
const BACK_MS = 30_000

/** An update of the only hub: SIGTERM, then the new one. What runs ends; what comes meanwhile is told to come again. */
export const hubRestarts: Scenario = {
  name: 'hub-restarts',
  about: 'the only hub is restarted (SIGTERM) under streams; what has begun ends, all hosts are back within 30 s',
  databases: ['sqlite'],
  long: { seconds: 60, count: 0 },
  short: { seconds: 4, count: 0 },
  async play(stage) {
    let hub = await stage.hub()
    const fleet = await stage.fleet(hub, { hosts: HOSTS, conduct: { tokensPerSecond: 100 } })
    const client = await stage.client(hub)
    const load = stage.load({ clients: CLIENTS, openai: () => client })
    await stage.during(EVERY_MS, async () => {
      await hub.stop()
      stage.logbook.fault('hub restarted')
      const from = performance.now()
      hub = await stage.hub(hub.port)
      await Promise.all(fleet.map(({ machine }) => machine.back()))
      stage.measure('all hosts back', performance.now() - from)
    })
    await load.stop()
    return {
      faults: ['hub restarted'],
      complete: CLIENTS,
      mayFail: { text: AWAY, tools: AWAY, json: AWAY },
      begunMayFail: false,
      atMostMs: { 'all hosts back': BACK_MS },
    }
  },
}
