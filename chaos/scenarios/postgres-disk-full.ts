import { ownServer } from '../../bin/postgres.ts'
import type { Scenario } from '../scenario.ts'
import { smallDisk, smallDiskObstacle } from '../small-disk.ts'

const HOSTS = 2
const CLIENTS = 20
/** With what the server needs to start. */
const DISK_MB = 96
const FULL_MS = [1_500, 13_000]
const EVERY_MS = 6_000
/** No hold can be taken, or no settlement made; nothing is billed. */
const AWAY = ['hub_unavailable']

/** As disk-full, under the server: it refuses statements, or ends and cannot come back before there is room again. */
export const postgresDiskFull: Scenario = {
  name: 'postgres-disk-full',
  about:
    'the disk under PostgreSQL fills up for 1.5 and 13 s under load; what is refused costs nothing, then all goes on',
  databases: ['postgres'],
  long: { seconds: 60, count: 0 },
  short: { seconds: 7, count: 0 },
  obstacle: smallDiskObstacle,
  async ground() {
    const disk = smallDisk(DISK_MB)
    try {
      const server = await ownServer(process.env, { parent: disk.folder, supervised: true })
      const close = async () => {
        await server.stop()
        disk.remove()
      }
      return { databaseUrl: server.url, server, disk, close }
    } catch (error) {
      disk.remove()
      throw error
    }
  },
  async play(stage) {
    const disk = stage.ground?.disk
    if (!disk) throw new Error('this stands on a disk of its own')
    const hub = await stage.hub()
    await stage.fleet(hub, { hosts: HOSTS, conduct: { tokensPerSecond: 200 } })
    const client = await stage.client(hub)
    const load = stage.load({ clients: CLIENTS, streamed: 70, openai: () => client })
    await stage.during(EVERY_MS, async (round) => {
      await Bun.sleep(1_500)
      disk.fill()
      stage.logbook.fault('disk full')
      await Bun.sleep(FULL_MS[round % FULL_MS.length]!)
      disk.clear()
      await Bun.sleep(1_500)
    })
    await load.stop()
    return {
      faults: ['disk full'],
      complete: 2 * CLIENTS,
      mayFail: { text: AWAY, tools: AWAY, json: AWAY },
    }
  },
}
