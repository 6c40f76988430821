// A planted bug and whoever looks for it, in a process of their own: nothing of the bug is left in this one.
import { join } from 'node:path'
import type { Broken } from './world.ts'

export interface Hunt {
  /** Histories it took. */
  histories: number
  /** The seed that shows the bug, and what it broke; null: none did. */
  seed: number | null
  found: Broken | null
}

/** `search`: seed after seed from 1; else the seed that is known to show it comes first. */
export async function hunt(bug: string, { search = false } = {}): Promise<Hunt> {
  const args = [join(import.meta.dirname, 'plant.ts'), bug, ...(search ? ['--search'] : [])]
  const process = Bun.spawn(['bun', ...args], { stdout: 'pipe', stderr: 'pipe' })
  const [stdout, stderr] = await Promise.all([new Response(process.stdout).text(), new Response(process.stderr).text()])
  if (stdout === '') throw new Error(stderr)
  return JSON.parse(stdout)
}
