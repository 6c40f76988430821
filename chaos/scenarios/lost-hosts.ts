// Every stream loses the host that began it, at a token that was drawn beforehand: 0, 1 and the last among them. In some,
// the engine fails; in others it holds the answer at that token until the whole machine is killed.
import type { Scenario } from '../scenario.ts'
import type { Host, Stage } from '../stage.ts'

const HOSTS = 6
const CLIENTS = 60
/** Weights. A hung engine costs seconds each time, so it has a small share. */
const LOSSES = { host: 40 } as const
const LOOK_MS = 15
/** Streams that hold still on one machine make it worth killing; after a while fewer will do. */
const ENOUGH = 8
const PATIENCE_MS = 400
/** Machines that must be up beside the one that is killed. */
const SURVIVORS = 3

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
    const reaper = new Reaper(stage, fleet)
    while (!over) {
      await reaper.look()
      const { requests } = stage.logbook
      if (requests - saidAt >= 1_000) say(`${(saidAt = requests)} of ${count} streams`)
      await Bun.sleep(LOOK_MS)
    }
    await load.done
    return {
      faults: ['host killed'],
      complete: Math.floor(count * 0.7),
      mayFail: { tools: ['upstream_error'], json: ['upstream_error'] },
      stallP99Ms: 3_500,
    }
  },
}

/** Kills machines once the answers they were given have come to the token at which they shall lose them. */
class Reaper {
  private readonly holdingSince = new Map<Host, number>()
  private readonly down = new Set<Host>()

  constructor(
    private readonly stage: Stage,
    private readonly fleet: readonly Host[],
  ) {}

  async look(): Promise<void> {
    const states = await this.fleet[0]!.engines.state()
    for (const host of this.fleet) {
      const { running, hanging } = states[host.at] ?? { running: 0, hanging: 0 }
      if (this.down.has(host)) continue
      if (hanging === 0) {
        this.holdingSince.delete(host)
        continue
      }
      const since = this.holdingSince.get(host) ?? performance.now()
      this.holdingSince.set(host, since)
      const patient = performance.now() - since < PATIENCE_MS
      // What still runs there would lose a second host; it is given the time to end.
      if (patient && (hanging < ENOUGH || running > hanging)) continue
      if (this.fleet.length - this.down.size <= SURVIVORS) continue
      await this.kill(host)
    }
  }

  private async kill(host: Host): Promise<void> {
    this.down.add(host)
    this.holdingSince.delete(host)
    await host.machine.kill()
    this.stage.logbook.fault('host killed')
    this.stage.beside(host.machine.start().then(() => this.down.delete(host)))
  }
}
