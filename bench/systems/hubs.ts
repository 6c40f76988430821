// Our own hub, as it is shipped, with few hosts and with many; and beside it one whose books cost nothing, which shows
// what money costs.
import { join } from 'node:path'
import { startHub } from '../hub.ts'
import type { System } from './system.ts'

export function hubWith(hosts: number): System {
  return {
    name: `hub, ${hosts} host${hosts === 1 ? '' : 's'}`,
    async start({ programs, world }) {
      const hub = await startHub(programs, world, { name: `hub-${hosts}`, hosts, slots: 1_024 })
      return { ...hub, hub }
    },
  }
}

export const relayOnly: System = {
  name: 'hub, money off',
  async start({ programs, world }) {
    const words = [process.execPath, join(import.meta.dirname, 'relay-only.ts')]
    const hub = await startHub(programs, world, { name: 'relay-only', hosts: 50, words })
    // Its books are empty: there is nothing to compare with.
    return { port: hub.port, pids: hub.pids, stop: () => hub.stop() }
  },
}
