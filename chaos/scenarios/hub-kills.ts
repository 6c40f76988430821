// A hub dies at any instant, again and again; then the books are asked about every answer a client has got.
import type { Scenario } from '../scenario.ts'

const CLIENTS = 12
const KILL_AFTER_MS = { least: 60, most: 700 }
/** What a client sees of a hub that is not there any more, or not yet ready. */
const GONE = ['connection', 'cut', 'no_capacity', 'hub_unavailable']

export const hubKills: Scenario = {
  name: 'hub-kills',
  about: 'the hub is killed (SIGKILL) under load, round after round; complete answers are billed once, nothing else is',
  databases: ['sqlite', 'postgres'],
  long: { seconds: 0, count: 100 },
  short: { seconds: 0, count: 20 },
  shortOnPostgres: { seconds: 0, count: 5 },
  async play(stage) {
    const { count, say } = stage.order
    let hub = await stage.hub()
    const [host] = await stage.fleet(hub, { hosts: 1 })
    const client = await stage.client(hub)
    for (let round = 1; round <= count; round++) {
      const load = stage.load({ clients: CLIENTS, streamed: 50, openai: () => client })
      await Bun.sleep(stage.dice.between(KILL_AFTER_MS.least, KILL_AFTER_MS.most))
      await hub.kill()
      stage.logbook.fault('hub killed')
      await load.stop()
      await host!.machine.kill()
      // The last one lives, to clear up after the others.
      hub = await stage.hub(hub.port)
      if (round < count) await host!.machine.start()
      if (round % 10 === 0) say(`round ${round}: ${stage.logbook.costs.size} of ${stage.logbook.requests} complete`)
    }
    return { faults: ['hub killed'], complete: count, mayFail: { text: GONE, tools: GONE, json: GONE } }
  },
}
