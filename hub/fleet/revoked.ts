// Notices revoked tokens and suspended owners, whichever process made them so: by asking the database, since that
// works with Redis down and with a command line that knows no running hub.
import { eq, gt, or } from 'drizzle-orm'
import type { Db } from '../../db/open.ts'
import type { Cancel, Env } from '../../sdk/env.ts'
import type { Log } from '../log.ts'

/** A little under the second within which a revoked token is to be gone. */
const EVERY_MS = 900
/** Every round looks back this far: clocks of other machines may be wrong, and a round may fail. */
const LOOK_BACK_MS = 24 * 60 * 60_000

export class RevokedTokens {
  private stopTimer: Cancel | null = null
  private failing = false

  constructor(
    private readonly env: Env,
    private readonly db: Db,
    private readonly log: Log,
    private readonly revoked: (tokenIds: ReadonlySet<string>) => void,
  ) {}

  start(): void {
    this.stopTimer = this.env.timer(EVERY_MS, () => void this.look())
  }

  stop(): void {
    this.stopTimer?.()
    this.stopTimer = null
  }

  private async look(): Promise<void> {
    try {
      const ids = await this.recent()
      this.failing = false
      if (this.stopTimer && ids.length > 0) this.revoked(new Set(ids))
    } catch (error) {
      if (!this.failing) this.log.error('cannot read revoked tokens', { error: String(error) })
      this.failing = true
    }
    if (this.stopTimer) this.start()
  }

  private async recent(): Promise<string[]> {
    const { hostTokens, users } = this.db.tables
    const since = this.env.now() - LOOK_BACK_MS
    const rows = await this.db.query
      .select({ id: hostTokens.id })
      .from(hostTokens)
      .innerJoin(users, eq(users.id, hostTokens.ownerId))
      .where(or(gt(hostTokens.revokedAt, since), gt(users.suspendedAt, since)))
    return rows.map(({ id }) => id)
  }
}
