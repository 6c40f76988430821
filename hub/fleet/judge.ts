// What the team thinks of a host: whether it is vetted, whether it is kept from requests. Written by admins, noticed by
// every hub within a second (revoked.ts), in force on links that are open.
import { eq, gt } from 'drizzle-orm'
import type { Db, Queries } from '../../db/open.ts'
import { transaction } from '../../db/transaction.ts'
import type { Env } from '../../sdk/env.ts'
import { HubError } from '../errors.ts'
import { machineQuarantined } from '../mail/letters.ts'
import type { Newsroom } from '../mail/news.ts'
import { type Actor, type By, record } from '../policy/acts.ts'

export interface Judgement {
  vetted: boolean
  quarantined: boolean
  /** Its network is below the minimum. */
  belowNetwork: boolean
}

export interface Judged extends Judgement {
  id: string
}

export type Verdict =
  /** `reason` for the record. */
  { is: 'vetted' | 'not vetted' | 'released'; reason?: string } | { is: 'quarantined'; reason: string }

const LONGEST_REASON = 200
const LONGEST_NOTE = 2_000
const MOST = 10_000

export function judgementOf(row: Pick<HostRow, 'vettedAt' | 'quarantinedAt' | 'belowNetworkAt'>): Judgement {
  return {
    vetted: row.vettedAt !== null,
    quarantined: row.quarantinedAt !== null,
    belowNetwork: row.belowNetworkAt !== null,
  }
}

/** What is so already is no act. @throws HubError `not_found`; `invalid_request` for a quarantine without a reason */
export async function judgeHost(
  { env, db, news }: { env: Env; db: Db; news: Pick<Newsroom, 'tell'> },
  by: By,
  id: string,
  verdict: Verdict,
): Promise<void> {
  const now = env.now()
  const reason = verdict.is === 'quarantined' ? plain(verdict.reason) : null
  if (reason === '' || (reason ?? '').length > LONGEST_REASON)
    throw new HubError(
      'invalid_request',
      `Say why, in at most ${LONGEST_REASON} characters: the owner of the machine reads it.`,
      { param: 'reason' },
    )
  await changing(db, id, async (tx, host) => {
    const before = judgementOf(host)
    const wanted = {
      vetted: verdict.is === 'vetted' || (verdict.is !== 'not vetted' && before.vetted),
      quarantined: verdict.is === 'quarantined' || (verdict.is !== 'released' && before.quarantined),
    }
    const sameReason = verdict.is !== 'quarantined' || host.quarantineReason === reason
    if (wanted.vetted === before.vetted && wanted.quarantined === before.quarantined && sameReason) return
    const { hosts } = db.tables
    await tx
      .update(hosts)
      .set({
        vettedAt: wanted.vetted ? (host.vettedAt ?? now) : null,
        // Who is vetted no longer begins its time of proof anew.
        ...(before.vetted && !wanted.vetted && host.checkedAt !== null ? { checkedAt: now } : {}),
        quarantinedAt: wanted.quarantined ? (host.quarantinedAt ?? now) : null,
        quarantineReason: wanted.quarantined ? (reason ?? host.quarantineReason) : null,
        judgedAt: now,
      })
      .where(eq(hosts.id, id))
    if (wanted.quarantined && !before.quarantined && reason !== null)
      await news.tell(tx, host.ownerId, {
        kind: 'machine-quarantined',
        about: id,
        letter: (links) => machineQuarantined({ id, name: host.name, reason, ...links }),
      })
    const what = ACTS[verdict.is]
    await record(env, db, tx, {
      by,
      what,
      subject: id,
      before: host.quarantineReason,
      after: reason ?? verdict.reason ?? null,
    })
  })
}

const ACTS: Record<Verdict['is'], string> = {
  vetted: 'host.vet',
  'not vetted': 'host.unvet',
  quarantined: 'host.quarantine',
  released: 'host.release',
}

/** The team's own words about a host. @throws HubError */
export async function noteHost(env: Env, db: Db, by: Actor, id: string, text: string): Promise<void> {
  const note = text.trim()
  if (note.length > LONGEST_NOTE)
    throw new HubError('invalid_request', `A note has at most ${LONGEST_NOTE} characters.`, { param: 'note' })
  await changing(db, id, async (tx, host) => {
    if (host.note === note) return
    const { hosts } = db.tables
    await tx.update(hosts).set({ note }).where(eq(hosts.id, id))
    // The record says that, not what: a note may name people, who can be erased there and not here.
    await record(env, db, tx, { by, what: 'host.note', subject: id })
  })
}

export async function noteOf(db: Db, id: string): Promise<string> {
  const { hosts } = db.tables
  const [row] = await db.query.select({ note: hosts.note }).from(hosts).where(eq(hosts.id, id))
  return row?.note ?? ''
}

export async function recentlyJudged(db: Db, since: number): Promise<Judged[]> {
  const { hosts } = db.tables
  const { id, vettedAt, quarantinedAt, belowNetworkAt } = hosts
  const rows = await db.query
    .select({ id, vettedAt, quarantinedAt, belowNetworkAt })
    .from(hosts)
    .where(gt(hosts.judgedAt, since))
    .limit(MOST)
  return rows.map((row) => ({ id: row.id, ...judgementOf(row) }))
}

type HostRow = Db['tables']['hosts']['$inferSelect']

async function changing(db: Db, id: string, work: (tx: Queries, host: HostRow) => Promise<void>): Promise<void> {
  await transaction(db, async (tx) => {
    const [host] = await tx.select().from(db.tables.hosts).where(eq(db.tables.hosts.id, id))
    if (!host) throw new HubError('not_found', 'There is no such machine.')
    await work(tx, host)
  })
}

function plain(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}
