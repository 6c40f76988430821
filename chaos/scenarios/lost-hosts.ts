// Every stream loses the host that began it, at a token that was drawn beforehand: 0, 1 and the last among them. In some,
// the engine fails; in others it holds the answer at that token until the whole machine is killed.
import { EMULATED_MODEL } from '../../sdk/wire/vocabulary.ts'
import type { Scenario } from '../scenario.ts'
import type { Host, Stage } from '../stage.ts'

const HOSTS = 10
const CLIENTS = 60
/** Weights. A hung engine costs seconds each time, and keeps its machine from being killed, so it has a small share. */
const LOSSES = { host: 31, reset: 30, eof: 18, error: 12, garbage: 8, hang: 1 } as const
const LOOK_MS = 15
/** Streams that hold still on one machine make it worth killing; after a while fewer will do. */
const ENOUGH = 8
const PATIENCE_MS = 400
/** Hosts the hub must have to ask, beside the one that is killed. */
const SURVIVORS = 2

export const lostHosts: Scenario = {
  name: 'lost-hosts',
  about: 'every stream loses its host at a token drawn beforehand; text, tools and JSON against the oracle',
  databases: ['sqlite'],
  long: { seconds: 0, count: 30_000 },
  short: { seconds: 0, count: 300 },
  async play(stage) {
    const { count, say } = stage.order
    const hub = await stage.hub()
    const fleet = await stage.fleet(hub, { hosts: HOSTS })
    const client = await stage.client(hub)
    const mix = { tools: 20, json: 10, losses: LOSSES }
    const load = stage.load({ clients: CLIENTS, mix, total: count, openai: () => client })
    let over = false
    void load.done.finally(() => (over = true))
    let saidAt = 0
    const reaper = new Reaper(stage, fleet, hub.url)
    while (!over) {
      await reaper.look()
      const { requests } = stage.logbook
      if (requests - saidAt >= 1_000) say(`${(saidAt = requests)} of ${count} streams`)
      await Bun.sleep(LOOK_MS)
    }
    await load.done
    return {
      faults: ['host killed'],
      never: ['answer kept its host'],
      complete: Math.floor(count * 0.7),
      mayFail: { tools: ['upstream_error'], json: ['upstream_error'] },
      stallP99Ms: 3_500,
    }
  },
}

interface PriceList {
  data: { id: string; hostsOnline: number }[]
}

/** Kills machines once the answers they were given have come to the token at which they shall lose them. */
class Reaper {
  private readonly holdingSince = new Map<Host, number>()
  private readonly down = new Set<Host>()

  constructor(
    private readonly stage: Stage,
    private readonly fleet: readonly Host[],
    private readonly hubUrl: string,
  ) {}

  async look(): Promise<void> {
    const states = await this.fleet[0]!.engines.state()
    for (const host of this.fleet) {
      const { running, held, hung } = states[host.at] ?? { running: 0, held: [], hung: [] }
      if (this.down.has(host)) continue
      if (held.length === 0 || hung.length > 0) {
        this.holdingSince.delete(host)
        continue
      }
      const since = this.holdingSince.get(host) ?? performance.now()
      this.holdingSince.set(host, since)
      const patient = performance.now() - since < PATIENCE_MS
      // What still runs there would lose a second host; it is given the time to end.
      if (patient && (held.length < ENOUGH || running > held.length)) continue
      if ((await this.askable()) > SURVIVORS) await this.kill(host, held)
    }
  }

  /** Hosts that are linked and do not sit out for engines that failed. */
  private async askable(): Promise<number> {
    const prices = (await (await fetch(`${this.hubUrl}/api/v1/prices`)).json()) as PriceList
    return prices.data.find(({ id }) => id.startsWith(EMULATED_MODEL))?.hostsOnline ?? 0
  }

  private async kill(host: Host, held: readonly number[]): Promise<void> {
    this.down.add(host)
    for (const number of held) this.stage.lostAt.set(number, performance.now())
    this.holdingSince.delete(host)
    await host.machine.kill()
    this.stage.logbook.fault('host killed')
    this.stage.beside(host.machine.start().then(() => this.down.delete(host)))
  }
}
