// The connection a request came on: whose it is, and how long it may be quiet.
import type { BlockList } from 'node:net'
import type { Server } from 'bun'
import { clientAddress } from './address.ts'

/** How long a connection may be quiet while nothing is owed on it. */
export const IDLE_SECONDS = 30

export class Connection {
  constructor(
    private readonly request: Request,
    /** Has none of this where there is no network. */
    private readonly server: Partial<Pick<Server<unknown>, 'requestIP' | 'timeout'>> | undefined,
    private readonly trustedProxies: BlockList,
  ) {}

  /** The client's address; null: one that all clients would share. */
  address(): string | null {
    const peer = this.server?.requestIP?.(this.request)?.address
    if (peer === undefined) return null
    return clientAddress(peer, this.request.headers.get('x-forwarded-for'), this.trustedProxies)
  }

  /** From now on the connection is closed when nothing moved on it for `seconds`, at most 255; 0: never. */
  quietFor(seconds: number): void {
    this.server?.timeout?.(this.request, seconds)
  }
}
