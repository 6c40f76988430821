import type { Scenario } from '../scenario.ts'

const HOSTS = 4
const CLIENTS = 30

/**
 * The hub stands still: swapped out, or its machine was. It has heard nothing meanwhile, and must not take that for
 * anybody's death. Streams stand still as long as it does.
 */
export const hubFreezes: Scenario = {
  name: 'hub-freezes',
  about: 'the hub stands still for up to 9 s (SIGSTOP) under streams; no host is taken for dead, nothing may fail',
  databases: ['sqlite'],
  long: { seconds: 60, count: 0 },
  short: { seconds: 6, count: 0 },
  async play(stage) {
    const hub = await stage.hub()
    const fleet = await stage.fleet(hub, { hosts: HOSTS, conduct: { tokensPerSecond: 100 } })
    const client = await stage.client(hub)
    const load = stage.load({ clients: CLIENTS, mix: { tools: 10, json: 5, losses: null }, openai: () => client })
    await stage.during(0, async (round) => {
      await Bun.sleep(1_500)
      hub.process.kill('SIGSTOP')
      stage.logbook.fault('hub frozen')
      await Bun.sleep([2_000, 4_000, 9_000][round % 3]!)
      hub.process.kill('SIGCONT')
      await Bun.sleep(500)
      for (const { machine } of fleet) if ((await machine.links()) === 0) stage.logbook.fault('host lost its link')
    })
    await load.stop()
    return { faults: ['hub frozen'], never: ['host lost its link'], complete: 2 * CLIENTS }
  },
}
