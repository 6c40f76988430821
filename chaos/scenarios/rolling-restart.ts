import { startBalancer } from '../balancer.ts'
import { clientOf } from '../client.ts'
import type { Scenario } from '../scenario.ts'

const HOSTS = 4
const CLIENTS = 50
const EVERY_MS = 3_000

/** An update of a deployment: one of two hubs at a time, behind a load balancer, with the SDK's own retries. */
export const rollingRestart: Scenario = {
  name: 'rolling-restart',
  about: 'two hubs behind a load balancer and every host restart in turn under 50 streams; nothing may fail',
  databases: ['postgres'],
  long: { seconds: 60, count: 0 },
  short: { seconds: 6, count: 0 },
  async play(stage) {
    const hubs = [await stage.hub(), await stage.hub()]
    const fleet = await stage.fleet(hubs[0]!, { hosts: HOSTS, conduct: { tokensPerSecond: 100 } })
    await Promise.all(fleet.map(({ machine }) => machine.back(hubs.length)))
    const [{ url: front }] = hubs as [(typeof hubs)[0]]
    const balancer = startBalancer(
      front,
      hubs.map(({ url }) => url),
    )
    const client = clientOf(front, await stage.key(), { retries: 2, fetch: balancer.fetch })
    const load = stage.load({ clients: CLIENTS, openai: () => client })
    await stage.during(EVERY_MS, async (round) => {
      const at = round % hubs.length
      await hubs[at]!.stop()
      stage.logbook.fault('hub restarted')
      hubs[at] = await stage.hub(hubs[at]!.port)
      const { machine } = fleet[round % HOSTS]!
      await machine.stop('soon')
      stage.logbook.fault('host restarted')
      await machine.start()
      await Promise.all(fleet.map((host) => host.machine.back(hubs.length)))
    })
    await load.stop()
    balancer.close()
    return { faults: ['hub restarted', 'host restarted'], complete: 2 * CLIENTS }
  },
}
