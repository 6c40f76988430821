import type { Scenario } from '../scenario.ts'

const HOSTS = 5
const CLIENTS = 50
/** Longer than a link may be silent, so that the hub gives it up and the host wakes to a link that is gone. */
const FROZEN_MS = 15_000
/** A machine that does not answer is given up within four seconds; an answer can meet two. */
const FIRST_TOKEN_MS = 7_000

/** A machine stands still with its connections open: TCP says nothing. Later it wakes, with answers nobody waits for. */
export const frozenHosts: Scenario = {
  name: 'frozen-hosts',
  about: 'hosts stand still for 15 s (SIGSTOP: a half-open connection), then go on where they were; nothing may fail',
  databases: ['sqlite'],
  long: { seconds: 60, count: 0 },
  short: { seconds: 5, count: 0 },
  async play(stage) {
    const hub = await stage.hub()
    const fleet = await stage.fleet(hub, { hosts: HOSTS, conduct: { tokensPerSecond: 100 } })
    const client = await stage.client(hub)
    const load = stage.load({ clients: CLIENTS, mix: { tools: 10, json: 5, losses: null }, openai: () => client })
    await stage.during(FROZEN_MS, async (round) => {
      const { machine } = fleet[round % HOSTS]!
      machine.pause()
      stage.logbook.fault('host frozen')
      stage.beside(Bun.sleep(Math.min(FROZEN_MS, stage.order.seconds * 1_000)).then(() => machine.resume()))
    })
    await load.stop()
    return {
      faults: ['host frozen'],
      complete: 2 * CLIENTS,
      mayFail: { tools: ['upstream_error'], json: ['upstream_error'] },
      stallP99Ms: 3_500,
      firstTokenP99Ms: FIRST_TOKEN_MS,
    }
  },
}
