// Letters wait in the database, in the transaction of what they tell, and are sent from there: an answer never waits for
// a mail server, and a letter survives the hub. Without a mail server they stay, to be read in the log and by admins.
import { and, asc, desc, eq, isNotNull, lt, lte, or } from 'drizzle-orm'
import type { Db, Queries } from '../../db/open.ts'
import { type Cancel, type Env, newId } from '../../sdk/env.ts'
import { HubError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Letter } from './letters.ts'

/** Who takes letters away. @throws LetterRefused when trying again will not help; anything else is weather. */
export type Post = (to: string, letter: Omit<Letter, 'kind'>) => Promise<void>

export class LetterRefused extends Error {
  override name = 'LetterRefused'
}

/** A letter as admins see it. */
export interface Mail {
  id: string
  kind: string
  recipient: string
  subject: string
  /** Kept only while it is not sent, and can be. */
  text: string | null
  createdAt: number
  tries: number
  nextAt: number | null
  sentAt: number | null
  error: string | null
}

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
/** Waits between tries; after the last one a letter is given up. */
const WAITS_MS = [MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS, HOUR_MS, 3 * HOUR_MS, 6 * HOUR_MS, 12 * HOUR_MS]
const SEND_MS = 60_000
/** Longer than a try takes: until then the letter is its sender's, even should that hub die. */
const LEASE_MS = 2 * SEND_MS
const EVERY_MS = 5_000
const AT_ONCE = 20
const MOST_WAITING = 10_000
/** Sent letters are only a record; those that nobody could send hold links that are long too old. */
const KEPT_MS = 30 * DAY_MS
const UNSENT_KEPT_MS = 7 * DAY_MS

export class Outbox {
  private cancel: Cancel = () => {}
  private round: Promise<void> | null = null
  private again = false
  private closed = false

  /** `post` null: there is no mail server. */
  constructor(private readonly world: { env: Env; db: Db; log: Log; post: Post | null }) {}

  start(): void {
    if (this.world.post) this.plan()
  }

  /** Resolves when nothing is being sent any more. */
  async close(): Promise<void> {
    this.closed = true
    this.cancel()
    await this.round
  }

  /** Whether letters leave this hub at all. */
  get sends(): boolean {
    return this.world.post !== null
  }

  /** Puts a letter among those to be sent, in `tx`. Call `wake` when that is committed. @throws HubError when too many wait */
  async put(tx: Queries, recipient: string, letter: Letter): Promise<void> {
    await putLetter(this.world.env, this.world.db, tx, recipient, letter, this.sends)
    if (!this.sends) this.world.log.info('letter', { to: recipient, subject: letter.subject, text: letter.text })
  }

  /** There may be something to send. */
  wake(): void {
    if (!this.world.post || this.closed) return
    this.again = true
    this.round ??= this.rounds().finally(() => {
      this.round = null
    })
  }

  private plan(): void {
    if (this.closed) return
    this.cancel = this.world.env.timer(EVERY_MS, () => {
      this.wake()
      this.plan()
    })
  }

  private async rounds(): Promise<void> {
    while (this.again && !this.closed) {
      this.again = false
      try {
        if ((await this.deliverDue()) === AT_ONCE) this.again = true
      } catch (error) {
        this.world.log.warn('letters cannot be read', { error: String(error) })
      }
    }
  }

  private async deliverDue(): Promise<number> {
    const { env, db } = this.world
    const { mails } = db.tables
    const due = await db.query
      .select()
      .from(mails)
      .where(and(isNotNull(mails.nextAt), lte(mails.nextAt, env.now())))
      .orderBy(asc(mails.nextAt))
      .limit(AT_ONCE)
    await Promise.all(due.map((mail) => this.deliver(mail)))
    return due.length
  }

  private async deliver(mail: Db['tables']['mails']['$inferSelect']): Promise<void> {
    const { env, db, log, post } = this.world
    const { id, nextAt, recipient, subject, text, html, kind, off } = mail
    if (!post || nextAt === null || text === null || html === null) return
    const { mails } = db.tables
    // Several hubs look into the same outbox: who moves the time forward sends it.
    const tries = mail.tries + 1
    const mine = await db.query
      .update(mails)
      .set({ nextAt: env.now() + LEASE_MS, tries, error: null })
      .where(and(eq(mails.id, id), eq(mails.nextAt, nextAt)))
      .returning({ id: mails.id })
    if (mine.length === 0) return
    try {
      await within(env, SEND_MS, post(recipient, { subject, text, html, ...(off === null ? {} : { off }) }))
      const sent = { sentAt: env.now(), nextAt: null, ...unsaid, error: null, ...forgotten(kind) }
      await db.query.update(mails).set(sent).where(eq(mails.id, id))
    } catch (error) {
      const wait = error instanceof LetterRefused ? undefined : WAITS_MS[tries - 1]
      const why = String(error instanceof Error ? error.message : error).slice(0, 300)
      log.warn(wait === undefined ? 'letter given up' : 'letter not sent yet', { mail: id, kind, tries, error: why })
      const givenUp = { nextAt: null, ...unsaid, ...forgotten(kind) }
      const failed = wait === undefined ? givenUp : { nextAt: env.now() + wait }
      await db.query
        .update(mails)
        .set({ ...failed, error: why })
        .where(eq(mails.id, id))
    }
  }
}

/** What a letter said is kept no longer than it takes to send it. */
const unsaid = { text: null, html: null, off: null }

/** The last letter to somebody is sent to an address the hub no longer keeps. */
function forgotten(kind: string): { recipient?: string } {
  return kind === 'erased' ? { recipient: '' } : {}
}

/** For commands beside a hub, too; the hub sends it. */
export async function putLetter(
  env: Env,
  { tables: { mails } }: Db,
  tx: Queries,
  recipient: string,
  { kind, subject, text, html, off }: Letter,
  sends: boolean,
): Promise<void> {
  if ((await tx.$count(mails, isNotNull(mails.nextAt))) >= MOST_WAITING) {
    throw new HubError('hub_unavailable', 'Too many letters wait to be sent. Try again later.')
  }
  const now = env.now()
  await tx.insert(mails).values({
    id: newId(env, 'mail'),
    ...{ kind, recipient, subject, text, html, off, tries: 0 },
    createdAt: now,
    nextAt: sends ? now : null,
  })
}

/** Newest first, before the id `before`. */
export async function listMails(db: Db, page: { limit: number; before?: string }): Promise<Mail[]> {
  const { mails } = db.tables
  const { id, kind, recipient, subject, text, createdAt, tries, nextAt, sentAt, error } = mails
  return db.query
    .select({ id, kind, recipient, subject, text, createdAt, tries, nextAt, sentAt, error })
    .from(mails)
    .where(page.before === undefined ? undefined : lt(mails.id, page.before))
    .orderBy(desc(mails.id))
    .limit(page.limit)
}

/** Removes what is no longer of use. */
export async function sweepMails(env: Env, db: Db): Promise<void> {
  const { mails } = db.tables
  const now = env.now()
  const unsent = and(isNotNull(mails.text), lt(mails.createdAt, now - UNSENT_KEPT_MS))
  await db.query.delete(mails).where(or(lt(mails.createdAt, now - KEPT_MS), unsent))
}

function within<T>(env: Env, ms: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = env.timer(ms, () => reject(new Error(`the mail server did not answer within ${ms / 1_000} s`)))
    work.then(resolve, reject).finally(cancel)
  })
}
