import type { World } from '../command.ts'

/** One line that changes, for a person who waits; empty text wipes it. */
export function progressOn(world: World): (text: string) => void {
  let shown = ''
  return (text) => {
    if (!world.interactive || text === shown) return
    shown = text
    world.stderr(`\r\u001b[K${text}`)
  }
}
