import type { Scenario } from '../scenario.ts'

const HOSTS = 3
const CLIENTS = 30
const FLIP_MS = 3_000

/** Two machines with one identity: a disk that was copied. The newer link serves; the older agent is told, and ends. */
export const clones: Scenario = {
  name: 'clones',
  about: 'a machine and its copy link over each other with one credential; one of them serves, nothing may fail',
  databases: ['sqlite'],
  long: { seconds: 30, count: 0 },
  short: { seconds: 4, count: 0 },
  async play(stage) {
    const hub = await stage.hub()
    const fleet = await stage.fleet(hub, { hosts: HOSTS, conduct: { tokensPerSecond: 100 } })
    const client = await stage.client(hub)
    const load = stage.load({ clients: CLIENTS, mix: { tools: 0, json: 0, losses: null }, openai: () => client })
    const original = fleet[0]!.machine
    const copy = original.clone('copy')
    let [serving, next] = [original, copy]
    await stage.during(FLIP_MS, async () => {
      await next.start()
      await serving.ended()
      stage.logbook.fault('link taken over')
      ;[serving, next] = [next, serving]
    })
    await load.stop()
    await copy.kill()
    return { faults: ['link taken over'], complete: 2 * CLIENTS, stallP99Ms: 3_500 }
  },
}
