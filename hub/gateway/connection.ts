// The connection a request came on: whose it is, and how long it may be quiet.
import type { Server } from 'bun'
import type { Callers } from '../identity/caller.ts'

/** How long a connection may be quiet while nothing is owed on it. */
export const IDLE_SECONDS = 30

export class Connection {
  constructor(
    private readonly request: Request,
    /** Has none of this where there is no network. */
    private readonly server: Partial<Pick<Server<unknown>, 'requestIP' | 'timeout'>> | undefined,
    private readonly callers: Callers,
  ) {}

  /** The client's address; null: one that all clients would share, since they come through this machine unnamed. */
  address(): string | null {
    this.callers.note(this.request, this.server?.requestIP?.(this.request)?.address)
    const { address } = this.callers.of(this.request)
    return address === '' || address === '::1' || address.startsWith('127.') ? null : address
  }

  /** From now on the connection is closed when nothing moved on it for `seconds`, at most 255; 0: never. */
  quietFor(seconds: number): void {
    this.server?.timeout?.(this.request, seconds)
  }
}
