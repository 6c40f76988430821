import type { Scenario } from '../scenario.ts'

const HOSTS = 4
const CLIENTS = 30
/** Less than a link may be silent, the last beat before it counted in; and longer. */
const FREEZES_MS = [2_000, 5_000, 15_000]
const HOSTS_WAIT_MS = 6_000
/** For a moment after the longest, no host is linked: who comes new is told so. */
const NOT_YET = ['no_capacity']

/**
 * The hub stands still: swapped out, or its machine was. It has heard nothing meanwhile, and must not take that for
 * anybody's death. Streams stand still as long as it does. After the longest pause the hosts have given the hub up and
 * link anew, and what they were saying goes on.
 */
export const hubFreezes: Scenario = {
  name: 'hub-freezes',
  about: 'the hub stands still for 2, 5 and 15 s (SIGSTOP) under streams; it takes no host for dead, no answer fails',
  databases: ['sqlite'],
  long: { seconds: 60, count: 0 },
  short: { seconds: 8, count: 0 },
  async play(stage) {
    const hub = await stage.hub()
    const fleet = await stage.fleet(hub, { hosts: HOSTS, conduct: { tokensPerSecond: 100 } })
    const client = await stage.client(hub)
    const load = stage.load({ clients: CLIENTS, mix: { tools: 10, json: 5, losses: null }, openai: () => client })
    await stage.during(0, async (round) => {
      const ms = FREEZES_MS[round % FREEZES_MS.length]!
      hub.process.kill('SIGSTOP')
      stage.logbook.fault(`hub frozen for ${ms / 1_000} s`)
      await Bun.sleep(ms)
      hub.process.kill('SIGCONT')
      await Bun.sleep(500)
      for (const { machine } of fleet)
        if (ms < HOSTS_WAIT_MS && (await machine.links()) === 0) stage.logbook.fault('host lost its link too early')
      await Promise.all(fleet.map(({ machine }) => machine.back()))
      await Bun.sleep(1_000)
    })
    await load.stop()
    return {
      faults: ['hub frozen for 2 s', 'hub frozen for 5 s'],
      never: ['host lost its link too early'],
      complete: 2 * CLIENTS,
      mayFail: { text: NOT_YET, tools: NOT_YET, json: NOT_YET },
      begunMayFail: [],
    }
  },
}
