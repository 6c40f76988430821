// What strangers and users say is wrong with how this hub is used, and what the team made of it.
import { and, desc, eq, lt, ne } from 'drizzle-orm'
import type { Db } from '../../db/open.ts'
import type { ReportState } from '../../db/schema/policy.ts'
import { transaction } from '../../db/transaction.ts'
import { type Env, newId } from '../../sdk/env.ts'
import { HubError } from '../errors.ts'
import { type Actor, record } from './acts.ts'

export const reportKinds = [
  'illegal content',
  'harm to a person',
  'fraud or spam',
  'licence',
  'security',
  'other',
] as const
export type ReportKind = (typeof reportKinds)[number]
export const reportStates: readonly ReportState[] = ['new', 'open', 'closed']

export interface Report {
  id: string
  at: number
  kind: string
  about: string
  text: string
  /** Where they want an answer; empty: nowhere. */
  contact: string
  state: ReportState
  note: string
  changedAt: number
}

/** So many wait at most to be looked at; then nobody can fill the table any further. */
const MOST_WAITING = 10_000
const LONGEST = { about: 300, text: 5_000, contact: 254, note: 5_000 }
const CONTACT_KEPT_MS = 90 * 24 * 60 * 60_000

/** @returns its number, by which whoever wrote it can ask again @throws HubError that names the field */
export async function addReport(
  env: Env,
  db: Db,
  given: { kind: string; about: string; text: string; contact: string },
): Promise<string> {
  const { reports } = db.tables
  const kind = reportKinds.find((each) => each === given.kind)
  if (!kind) throw new HubError('invalid_request', 'Choose what it is about.', { param: 'kind' })
  const about = within(given.about, 'about')
  const text = within(given.text, 'text')
  const contact = within(given.contact, 'contact')
  if (text.length < 10)
    throw new HubError('invalid_request', 'Say in a sentence or two what happened.', { param: 'text' })
  if (contact !== '' && !/^\S+@\S+\.\S+$/.test(contact))
    throw new HubError('invalid_request', 'That is no e-mail address. Leave it empty to stay unnamed.', {
      param: 'contact',
    })
  if ((await db.query.$count(reports, ne(reports.state, 'closed'))) >= MOST_WAITING)
    throw new HubError('hub_unavailable', 'More reports wait than can be kept. Write to the people who run this hub.')
  const now = env.now()
  const row: Report = {
    id: newId(env, 'report'),
    at: now,
    kind,
    about,
    text,
    contact,
    state: 'new',
    note: '',
    changedAt: now,
  }
  await db.query.insert(reports).values(row)
  return row.id
}

/** Newest first, before the id `before`. */
export async function listReports(
  db: Db,
  { limit, before, state }: { limit: number; before?: string; state?: ReportState },
): Promise<Report[]> {
  const { reports } = db.tables
  return db.query
    .select()
    .from(reports)
    .where(
      and(
        before === undefined ? undefined : lt(reports.id, before),
        state === undefined ? undefined : eq(reports.state, state),
      ),
    )
    .orderBy(desc(reports.id))
    .limit(limit)
}

export async function reportById(db: Db, id: string): Promise<Report | null> {
  const [row] = await db.query.select().from(db.tables.reports).where(eq(db.tables.reports.id, id))
  return row ?? null
}

export function countNewReports(db: Db): Promise<number> {
  return db.query.$count(db.tables.reports, eq(db.tables.reports.state, 'new'))
}

/** @throws HubError */
export async function changeReport(
  env: Env,
  db: Db,
  by: Actor,
  id: string,
  wish: { state: string; note: string },
): Promise<void> {
  const { reports } = db.tables
  const state = reportStates.find((each) => each === wish.state)
  if (!state) throw new HubError('invalid_request', 'Choose a state.', { param: 'state' })
  const note = within(wish.note, 'note')
  await transaction(db, async (tx) => {
    const [before] = await tx.select().from(reports).where(eq(reports.id, id))
    if (!before) throw new HubError('not_found', 'There is no such report.')
    if (before.state === state && before.note === note) return
    await tx.update(reports).set({ state, note, changedAt: env.now() }).where(eq(reports.id, id))
    await record(env, db, tx, { by, what: 'report.change', subject: id, before: before.state, after: state })
  })
}

/** Who wrote a report that was closed a while ago is nobody's business any more. */
export async function forgetReporters(env: Env, db: Db): Promise<number> {
  const { reports } = db.tables
  await db.query
    .update(reports)
    .set({ contact: '' })
    .where(
      and(eq(reports.state, 'closed'), ne(reports.contact, ''), lt(reports.changedAt, env.now() - CONTACT_KEPT_MS)),
    )
  return 0
}

function within(text: string, field: keyof typeof LONGEST): string {
  const given = text.trim()
  if (given.length <= LONGEST[field]) return given
  throw new HubError('invalid_request', `That is longer than ${LONGEST[field]} characters. Shorten it.`, {
    param: field,
  })
}
