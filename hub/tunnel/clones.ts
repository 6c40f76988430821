// Two machines with one identity (a copied disk, a stolen token) would fence each other for ever. A machine that merely
// starts again is not one of them: its older program is dead. So a takeover counts only if the program that was
// dismissed answered its dismissal, and is not the very one that came anew.
import type { Env } from '../../sdk/env.ts'

/** How long a dismissed program has to close its socket, which proves that it lives. */
export const FAREWELL_MS = 2_000
const TAKEOVERS = 3
const WINDOW_MS = 10 * 60_000
const MOST_HOSTS = 10_000

export class Clones {
  /** By host, when its takeovers were; the latest last. */
  private readonly takeovers = new Map<string, number[]>()

  constructor(private readonly env: Pick<Env, 'mono'>) {}

  /** Two living programs have had this host's identity, once more. @returns whether that was once too often */
  met(hostId: string): boolean {
    const now = this.env.mono()
    const recent = [...(this.takeovers.get(hostId) ?? []), now].filter((at) => now - at < WINDOW_MS)
    this.takeovers.delete(hostId)
    if (recent.length >= TAKEOVERS) return true
    this.takeovers.set(hostId, recent)
    if (this.takeovers.size > MOST_HOSTS) for (const oldest of this.takeovers.keys()) return this.forget(oldest)
    return false
  }

  private forget(hostId: string): false {
    this.takeovers.delete(hostId)
    return false
  }
}
