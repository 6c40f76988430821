import type { Status } from '../../host/daemon/status.ts'
import { gamingMachine } from '../gaming-machine.ts'
import type { Scenario } from '../scenario.ts'

const HOSTS = 2
const CLIENTS = 90
/** About as many as the machine offers itself. */
const SLOTS = 64
/** At least so many answers run on the machine when its owner begins to play. */
const UNDER = 20
const BACK_MS = 10_000
/** The quiet minute, and then the engine's start. */
const RETURN_MS = 150_000

/** Somebody plays on a card that works: the agent gives it back by itself, and takes it again when the game is over. */
export const ownerPlays: Scenario = {
  name: 'owner-plays',
  about:
    'a game begins on a card under 20 streams; its engine is gone in ≤ 10 s, nothing fails, it comes back by itself',
  databases: ['sqlite'],
  long: { seconds: 0, count: 3 },
  short: { seconds: 0, count: 1 },
  byCommandOnly: true,
  async play(stage) {
    const { count } = stage.order
    const hub = await stage.hub()
    await stage.fleet(hub, { hosts: HOSTS, conduct: { tokensPerSecond: 30 }, slots: SLOTS })
    const gaming = await gamingMachine({ tokensPerSecond: 30 })
    try {
      const options = { name: 'gaming', hub: hub.url, engineUrl: '', own: gaming.own }
      const machine = await stage.machine('fleet', options)
      gaming.setUp(machine.home)
      await machine.start()
      const client = await stage.client(hub)
      const load = stage.load({ clients: CLIENTS, mix: { tools: 0, json: 0, losses: null }, openai: () => client })
      const status = (what: string, holds: (status: Status) => boolean) =>
        stage.until(what, RETURN_MS, async () => {
          const now = await machine.status()
          return now !== null && holds(now)
        })
      for (let round = 0; round < count; round++) {
        await status(`${UNDER} answers run there`, ({ requests }) => requests >= UNDER)
        const from = performance.now()
        gaming.plays(true)
        stage.logbook.fault('game begun')
        await stage.until('its engine is gone', RETURN_MS, async () => !gaming.engineIsThere())
        stage.measure('card back', performance.now() - from)
        await status('it rests', ({ state, requests }) => state === 'paused' && requests === 0)
        gaming.plays(false)
        await status('it works again by itself', ({ state }) => state === 'serving')
        stage.logbook.fault('came back')
      }
      await load.stop()
      const hosts =
        await stage.world.command<{ name: string; tripped: string[]; failures: Record<string, number> }[]>('hosts')
      const mine = hosts.find(({ name }) => name === 'gaming')
      const blamed = ['network', 'host', 'engine'].some((whose) => (mine?.failures[whose] ?? 0) > 0)
      if (!mine || blamed || mine.tripped.length > 0) stage.logbook.fault('its owner was blamed')
    } finally {
      await stage.leave('gaming')
      gaming.close()
    }
    return {
      faults: ['game begun', 'came back'],
      never: ['its owner was blamed'],
      complete: CLIENTS,
      atMostMs: { 'card back': BACK_MS },
    }
  },
}
