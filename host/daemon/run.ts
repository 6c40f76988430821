// One agent on its machine: it has its home to itself, answers on a control socket, and lives (life.ts) until told to
// stop. Read this file first.
import type { Home } from '../config.ts'
import { openControl } from './control.ts'
import { Life, type Machine } from './life.ts'
import { lockHome } from './lock.ts'
import type { Afterwards } from './stopping.ts'

export interface Host extends Machine {
  home: Home
}

/** Lives until asked to stop; resolves to what is to follow. @throws HostError as `Life.live` */
export async function run(host: Host): Promise<Afterwards> {
  const unlock = lockHome(host.home)
  const life = new Life(host)
  const closeControl = openControl(host.home.controlPath, life)
  try {
    return await life.live()
  } finally {
    await closeControl()
    unlock()
    host.log.info('stopped')
  }
}
