import type { Promises } from '../certificate.ts'
import type { Scenario } from '../scenario.ts'
import type { Stage } from '../stage.ts'
import { smallDisk, smallDiskObstacle } from '../small-disk.ts'

const HOSTS = 2
const CLIENTS = 20
const FULL_MS = [1_500, 13_000]
const EVERY_MS = 6_000
const REFUSED = ['hub_unavailable']

/** The disk under the books fills up, for a moment and for longer than a settlement waits; then there is room again. */
export const diskFull: Scenario = {
  name: 'disk-full',
  about: 'the disk under SQLite fills up for 1.5 and 13 s under load; what is refused costs nothing, then all goes on',
  databases: ['sqlite'],
  long: { seconds: 60, count: 0 },
  short: { seconds: 7, count: 0 },
  obstacle: smallDiskObstacle,
  async ground() {
    const disk = smallDisk(48)
    return { data: disk.folder, disk, close: async () => disk.remove() }
  },
  play: fillingUp,
}

/** Under load, the disk that the scenario stands on fills up and is emptied, again and again. */
export async function fillingUp(stage: Stage): Promise<Promises> {
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
    mayFail: { text: REFUSED, tools: REFUSED, json: REFUSED },
  }
}
