import type { Machine } from '../machine.ts'
import type { Scenario } from '../scenario.ts'

const HOSTS = 3
const CLIENTS = 30
const FLIP_MS = 1_000

/**
 * Two machines with one identity: a disk that was copied. The newer link serves and the older agent is told, and ends;
 * when that has gone back and forth, neither is let in, until their owner says which is which.
 */
export const clones: Scenario = {
  name: 'clones',
  about: 'a machine and its copy link over each other until their identity is locked; nothing may fail',
  databases: ['sqlite'],
  long: { seconds: 30, count: 0 },
  short: { seconds: 5, count: 0 },
  async play(stage) {
    const hub = await stage.hub()
    const fleet = await stage.fleet(hub, { hosts: HOSTS, conduct: { tokensPerSecond: 100 } })
    const client = await stage.client(hub)
    const load = stage.load({ clients: CLIENTS, mix: { tools: 0, json: 0, losses: null }, openai: () => client })
    const original = fleet[0]!.machine
    const copy = original.clone('copy')
    let [serving, next] = [original, copy]
    let locked = false
    await stage.during(FLIP_MS, async () => {
      if (locked) return
      locked = !(await letIn(next))
      stage.logbook.fault(locked ? 'identity locked' : 'link taken over')
      await serving.ended()
      ;[serving, next] = [next, serving]
    })
    await load.stop()
    await copy.kill()
    return { faults: ['link taken over', 'identity locked'], complete: 2 * CLIENTS, stallP99Ms: 3_500 }
  },
}

/** False: the hub will not have it, and it has ended. */
async function letIn(machine: Machine): Promise<boolean> {
  try {
    await machine.start()
    return true
  } catch (error) {
    if (machine.running) throw error
    return false
  }
}
