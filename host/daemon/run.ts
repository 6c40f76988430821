// One agent on its machine: it has its home to itself, answers on a control socket, and lives (life.ts) until told to
// stop. Read this file first.
import type { Home } from '../config.ts'
import { openControl } from './control.ts'
import { Life, type Machine } from './life.ts'
import { lockHome } from './lock.ts'

export interface Host extends Machine {
  home: Home
}

/**
 * Starts the engine, links to the hub, serves until asked to stop; then takes nothing new, lets requests finish,
 * says goodbye and stops the engine. @throws HostError when it cannot start, or when the hub will not have it
 */
export async function run(host: Host): Promise<void> {
  const unlock = lockHome(host.home)
  const life = new Life(host)
  const closeControl = openControl(host.home.controlPath, life)
  try {
    await life.live()
  } finally {
    await closeControl()
    unlock()
    host.log.info('stopped')
  }
}
