import { ownServer } from '../../bin/postgres.ts'
import type { Scenario } from '../scenario.ts'
import { smallDisk, smallDiskObstacle } from '../small-disk.ts'
import { fillingUp } from './disk-full.ts'

/** With what the server needs to start. */
const DISK_MB = 96

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
  play: fillingUp,
}
