import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Scenario } from '../scenario.ts'

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
  obstacle() {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'only root on Linux can mount a small disk'
    const folder = mkdtempSync(join(tmpdir(), 'gpuhub-disk-'))
    const mounted = mount(folder)
    if (mounted) unmount(folder)
    rmSync(folder, { recursive: true })
    return mounted ? null : 'mounting is not allowed here'
  },
  async ground() {
    const data = mkdtempSync(join(tmpdir(), 'gpuhub-disk-'))
    if (!mount(data)) throw new Error('a small disk could not be mounted')
    return {
      data,
      async close() {
        unmount(data)
        rmSync(data, { recursive: true })
      },
    }
  },
  async play(stage) {
    const disk = stage.ground?.data
    if (!disk) throw new Error('this stands on a disk of its own')
    const ballast = join(disk, 'ballast')
    const hub = await stage.hub()
    await stage.fleet(hub, { hosts: HOSTS, conduct: { tokensPerSecond: 200 } })
    const client = await stage.client(hub)
    const load = stage.load({ clients: CLIENTS, streamed: 70, openai: () => client })
    await stage.during(EVERY_MS, async (round) => {
      await Bun.sleep(1_500)
      fill(ballast)
      stage.logbook.fault('disk full')
      await Bun.sleep(FULL_MS[round % FULL_MS.length]!)
      rmSync(ballast)
      await Bun.sleep(1_500)
    })
    await load.stop()
    return {
      faults: ['disk full'],
      complete: 2 * CLIENTS,
      mayFail: { text: REFUSED, tools: REFUSED, json: REFUSED },
    }
  },
}

function mount(folder: string): boolean {
  return Bun.spawnSync(['mount', '-t', 'tmpfs', '-o', 'size=48m', 'gpuhub-chaos', folder]).success
}

function unmount(folder: string): void {
  Bun.spawnSync(['umount', folder])
}

/** To the last byte. */
function fill(path: string): void {
  const file = openSync(path, 'w')
  for (let size = 1024 * 1024; size >= 1; size = Math.floor(size / 16)) {
    const zeros = new Uint8Array(size)
    try {
      for (;;) writeSync(file, zeros)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    }
  }
  closeSync(file)
}
