// Notices revoked tokens, suspended owners, locked hosts and what the team thinks of a host, whichever process made them so: by asking the database,
// since that works with Redis down and with a command line that knows no running hub.
import { eq, gt, or } from 'drizzle-orm'
import type { Db } from '../../db/open.ts'
import type { Cancel, Env } from '../../sdk/env.ts'
import type { Log } from '../log.ts'
import { type Judged, recentlyJudged } from './judge.ts'
import { type Lock, recentLocks } from './locks.ts'

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
    private readonly shutOut: {
      revoke(tokenIds: ReadonlySet<string>): void
      lock(locks: readonly Lock[]): void
      judge(judged: readonly Judged[]): void
    },
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
      const since = this.env.now() - LOOK_BACK_MS
      const ids = await this.recent(since)
      const locks = await recentLocks(this.db, since)
      const judged = await recentlyJudged(this.db, since)
      this.failing = false
      if (this.stopTimer && ids.length > 0) this.shutOut.revoke(new Set(ids))
      if (this.stopTimer && locks.length > 0) this.shutOut.lock(locks)
      if (this.stopTimer && judged.length > 0) this.shutOut.judge(judged)
    } catch (error) {
      if (!this.failing) this.log.error('cannot read who is shut out', { error: String(error) })
      this.failing = true
    }
    if (this.stopTimer) this.start()
  }

  private async recent(since: number): Promise<string[]> {
    const { hostTokens, users } = this.db.tables
    const rows = await this.db.query
      .select({ id: hostTokens.id })
      .from(hostTokens)
      .innerJoin(users, eq(users.id, hostTokens.ownerId))
      .where(or(gt(hostTokens.revokedAt, since), gt(users.suspendedAt, since)))
    return rows.map(({ id }) => id)
  }
}
