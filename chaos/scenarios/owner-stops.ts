import type { Scenario } from '../scenario.ts'

const HOSTS = 4
const CLIENTS = 40
const NOW_MS = 10_000

/** Owners take their cards back, politely and at once, all day long. */
export const ownerStops: Scenario = {
  name: 'owner-stops',
  about:
    '`gpuhost stop` and `gpuhost stop --now` go round the fleet under streams; nothing may fail, --now takes ≤ 10 s',
  databases: ['sqlite'],
  long: { seconds: 60, count: 0 },
  short: { seconds: 4, count: 0 },
  async play(stage) {
    const hub = await stage.hub()
    const fleet = await stage.fleet(hub, { hosts: HOSTS, conduct: { tokensPerSecond: 100 } })
    const client = await stage.client(hub)
    const load = stage.load({ clients: CLIENTS, mix: { tools: 10, json: 5, losses: null }, openai: () => client })
    await stage.during(500, async (round) => {
      const { machine } = fleet[round % HOSTS]!
      const how = round % 2 === 0 ? 'soon' : 'now'
      const took = await machine.stop(how)
      stage.measure(how === 'now' ? 'stop --now' : 'stop', took)
      stage.logbook.fault(how === 'now' ? 'host stopped now' : 'host stopped')
      await machine.start()
    })
    await load.stop()
    return {
      faults: ['host stopped', 'host stopped now'],
      complete: 2 * CLIENTS,
      mayFail: { tools: ['upstream_error'], json: ['upstream_error'] },
      atMostMs: { 'stop --now': NOW_MS },
      stallP99Ms: 3_500,
    }
  },
}
