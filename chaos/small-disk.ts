// A disk that is small enough to be filled up.
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface SmallDisk {
  folder: string
  /** To the last byte. */
  fill(): void
  /** There is room again. */
  clear(): void
  remove(): void
}

/** Why there can be none here; null: there can. */
export function smallDiskObstacle(): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'only root on Linux can mount a small disk'
  const folder = mkdtempSync(join(tmpdir(), 'gpuhub-disk-'))
  const mounted = mount(folder, 1)
  if (mounted) unmount(folder)
  rmSync(folder, { recursive: true })
  return mounted ? null : 'mounting is not allowed here'
}

/** @throws Error where there can be none */
export function smallDisk(sizeMb: number): SmallDisk {
  const folder = mkdtempSync(join(tmpdir(), 'gpuhub-disk-'))
  if (!mount(folder, sizeMb)) throw new Error('a small disk could not be mounted')
  const ballast = join(folder, 'ballast')
  return {
    folder,
    fill: () => fill(ballast),
    clear: () => rmSync(ballast),
    remove() {
      unmount(folder)
      rmSync(folder, { recursive: true })
    },
  }
}

function mount(folder: string, sizeMb: number): boolean {
  return Bun.spawnSync(['mount', '-t', 'tmpfs', '-o', `size=${sizeMb}m`, 'gpuhub-chaos', folder]).success
}

function unmount(folder: string): void {
  Bun.spawnSync(['umount', folder])
}

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
