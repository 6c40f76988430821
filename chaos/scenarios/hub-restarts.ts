import type { Scenario } from '../scenario.ts'

const HOSTS = 4
const CLIENTS = 30
/** Longer than a host takes to think a link steady: restarts in quick succession are another story. */
const STEADY_MS = 12_000
/** Of a deployment with one hub, while it is away. Nothing has begun by then. */
const AWAY = ['connection', 'no_capacity', 'hub_unavailable']
const BACK_MS = 30_000
/** By then streams of all ages run. */
const GRACE_AFTER_MS = 2_000

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
    await stage.during(0, async () => {
      await hub.stop()
      stage.logbook.fault('hub restarted')
      const from = performance.now()
      hub = await stage.hub(hub.port)
      await Promise.all(fleet.map(({ machine }) => machine.back()))
      stage.measure('all hosts back', performance.now() - from)
      await Bun.sleep(Math.min(STEADY_MS, stage.order.seconds * 500))
    })
    await load.stop()
    return {
      faults: ['hub restarted'],
      complete: CLIENTS,
      mayFail: { text: AWAY, tools: AWAY, json: AWAY },
      begunMayFail: [],
      atMostMs: { 'all hosts back': BACK_MS },
    }
  },
}

const LAST_WORD = ['hub_unavailable']

/** Answers longer than the hub waits for: each gets a last word that says so, and costs nothing. */
export const hubGrace: Scenario = {
  name: 'hub-grace',
  about: 'the only hub stops with a grace of 1 s under longer streams; each ends, or fails with the documented error',
  databases: ['sqlite'],
  long: { seconds: 30, count: 0 },
  short: { seconds: 3, count: 0 },
  ground: async () => ({ settings: { GPUHUB_GRACE_SECONDS: '1' }, close: async () => {} }),
  async play(stage) {
    let hub = await stage.hub()
    const fleet = await stage.fleet(hub, { hosts: HOSTS, conduct: { tokensPerSecond: 30 } })
    const client = await stage.client(hub)
    const load = stage.load({ clients: CLIENTS, openai: () => client })
    await stage.during(0, async () => {
      await Bun.sleep(GRACE_AFTER_MS)
      await hub.stop()
      stage.logbook.fault('hub stopped within its grace')
      hub = await stage.hub(hub.port)
      await Promise.all(fleet.map(({ machine }) => machine.back()))
    })
    await load.stop()
    const faults = ['hub stopped within its grace']
    return { faults, complete: 1, mayFail: { text: AWAY, tools: AWAY, json: AWAY }, begunMayFail: LAST_WORD }
  },
}
