// A machine signs in on its owner's behalf (RFC 8628): it shows a code, its owner types the code into a page of the hub,
// sees which machine asks, and approves. What the machine then gets is no session but a host token, bound to its key.
import { and, eq, gt, isNull, lt } from 'drizzle-orm'
import { type Db, isUniqueViolation } from '../../db/open.ts'
import { transaction } from '../../db/transaction.ts'
import { type Env, newId } from '../../sdk/env.ts'
import { isPublicKey, isSigned, signInText } from '../../sdk/wire/machine-key.ts'
import { HubError } from '../errors.ts'
import { type Caller, limitKey } from '../identity/caller.ts'
import type { Identity } from '../identity/identity.ts'
import { paths } from '../identity/paths.ts'
import { hashSecret, looksLikeSecret, makeSecret } from '../identity/secret.ts'
import { requireTerms } from '../identity/terms.ts'
import { type User, userById } from '../identity/users.ts'
import { machineJoined } from '../mail/letters.ts'
import { insertHostToken } from './token.ts'

const PREFIX = 'ghd'
const LIFE_MS = 10 * 60_000
const INTERVAL_SECONDS = 5
/** RFC 8628 3.5: what a machine that asks too often has to add, each time. */
const SLOW_DOWN_SECONDS = 5
const MOST_INTERVAL_SECONDS = 60
const MOST_PENDING = 10_000
/** Consonants that are not mistaken for each other, for figures, or read as words. */
const CODE_LETTERS = 'BCDFGHJKLMNPQRSTVWXZ'
const CODE_LENGTH = 8

/** What a machine says of itself. Untrusted: it is shown to its owner, and cut to what can be shown. */
export interface Machine {
  /** Ed25519, 32 bytes, base64. */
  key: string
  name: string
  gpu: string
  agent: string
  timeZone: string | null
}

/** A machine that waits, as its owner sees it. */
export interface WaitingMachine {
  id: string
  name: string
  gpu: string
  agent: string
  address: string
  /** Where it is, as far as a proxy or the machine itself says. */
  place: string | null
  askedAt: number
  expiresAt: number
}

/** RFC 8628's own words for how it stands. */
export type Polled =
  | { error: 'authorization_pending' | 'slow_down' | 'access_denied' | 'expired_token' | 'invalid_grant' }
  | { token: string; id: string; owner: string }

/** @throws HubError */
export async function beginDevice(
  { env, db, limits }: Identity,
  caller: Caller,
  machine: Machine,
): Promise<{ deviceCode: string; userCode: string; expiresSeconds: number; intervalSeconds: number }> {
  limits.take('deviceFrom', limitKey(caller.address))
  if (!isPublicKey(machine.key)) {
    throw new HubError('invalid_request', 'The machine’s key must be 32 bytes, base64.', { param: 'machine_key' })
  }
  const { deviceSignIns } = db.tables
  const now = env.now()
  if ((await db.query.$count(deviceSignIns, gt(deviceSignIns.expiresAt, now))) >= MOST_PENDING) {
    throw new HubError('hub_unavailable', 'Too many machines sign in at once. Try again in a few minutes.')
  }
  const { secret, hash } = makeSecret(env, PREFIX)
  const row = {
    ...{ id: newId(env, 'dev'), hash, machineKey: machine.key, name: plainName(machine.name) },
    ...{ gpu: printable(machine.gpu, 80), agent: printable(machine.agent, 40) },
    timeZone: machine.timeZone !== null && /^[\w+\-/]{1,40}$/.test(machine.timeZone) ? machine.timeZone : null,
    ...{ country: caller.country, address: caller.address, createdAt: now, expiresAt: now + LIFE_MS, polledAt: null },
    ...{ intervalSeconds: INTERVAL_SECONDS, claimedBy: null, decision: null },
  }
  const userCode = await insertWithCode(env, db, row)
  return { deviceCode: secret, userCode, expiresSeconds: LIFE_MS / 1_000, intervalSeconds: INTERVAL_SECONDS }
}

/** The machine asks how it stands, and once it is approved gets its token: this once. */
export async function pollDevice(
  { env, db, outbox, url, policy }: Identity,
  { deviceCode, proof }: { deviceCode: string; proof: string },
): Promise<Polled> {
  if (!looksLikeSecret(PREFIX, deviceCode)) return { error: 'invalid_grant' }
  const { deviceSignIns } = db.tables
  const mine = eq(deviceSignIns.hash, hashSecret(deviceCode))
  const [row] = await db.query.select().from(deviceSignIns).where(mine)
  if (!row || !isSigned(row.machineKey, signInText(deviceCode), proof)) return { error: 'invalid_grant' }
  const now = env.now()
  if (row.expiresAt <= now) return { error: 'expired_token' }
  if (row.decision === 'refused') {
    await db.query.delete(deviceSignIns).where(mine)
    return { error: 'access_denied' }
  }
  const hasty = row.polledAt !== null && now - row.polledAt < row.intervalSeconds * 1_000
  if (row.decision === null || row.claimedBy === null || hasty) {
    const intervalSeconds = Math.min(MOST_INTERVAL_SECONDS, row.intervalSeconds + (hasty ? SLOW_DOWN_SECONDS : 0))
    await db.query.update(deviceSignIns).set({ polledAt: now, intervalSeconds }).where(mine)
    return { error: hasty ? 'slow_down' : 'authorization_pending' }
  }
  const owner = await userById(db, row.claimedBy)
  if (!owner || !mayOwn(owner)) return { error: 'access_denied' }
  requireTerms(policy.current(), owner.terms, 'host', now)
  const { name, machineKey } = row
  const made = await transaction(db, async (tx) => {
    const taken = await tx.delete(deviceSignIns).where(mine).returning({ id: deviceSignIns.id })
    if (taken.length === 0) return null
    await outbox.put(tx, owner.email, machineJoined({ name, url: url() + paths.machines }))
    return insertHostToken(env, db, tx, { ownerId: owner.id, name, machineKey })
  })
  outbox.wake()
  return made ? { ...made, owner: owner.email } : { error: 'invalid_grant' }
}

/**
 * The machine behind a code that somebody typed. From now on only they may decide about it.
 * @throws HubError `wrong_code`, `role_required`, `terms_not_accepted`, `rate_limit_exceeded`
 */
export async function findDevice(
  identity: Identity,
  caller: Caller,
  user: User,
  typed: string,
): Promise<WaitingMachine> {
  const { env, db, limits, policy } = identity
  if (!mayOwn(user)) {
    throw new HubError('role_required', 'Only owners of hosts can let a machine join. Ask the people who run this hub.')
  }
  requireTerms(policy.current(), user.terms, 'host', env.now())
  const from = limitKey(caller.address)
  limits.take('deviceCodeFrom', from)
  limits.take('deviceCodeBy', user.id)
  const code = typed.toUpperCase().replace(/[^A-Z]/g, '')
  const { deviceSignIns } = db.tables
  const waiting = and(
    eq(deviceSignIns.code, code),
    gt(deviceSignIns.expiresAt, env.now()),
    isNull(deviceSignIns.decision),
  )
  await db.query
    .update(deviceSignIns)
    .set({ claimedBy: user.id })
    .where(and(waiting, isNull(deviceSignIns.claimedBy)))
  const [row] = await db.query
    .select()
    .from(deviceSignIns)
    .where(and(waiting, eq(deviceSignIns.claimedBy, user.id)))
  if (!row) {
    throw new HubError(
      'wrong_code',
      'No machine waits with this code: it is mistyped, too old, or was used. Run gpuhost login again.',
      {
        param: 'code',
      },
    )
  }
  limits.giveBack('deviceCodeFrom', from)
  limits.giveBack('deviceCodeBy', user.id)
  const { id, name, gpu, agent, address, country, timeZone, createdAt: askedAt, expiresAt } = row
  const place = [country, timeZone].filter((part) => part !== null).join(', ') || null
  return { id, name, gpu, agent, address, place, askedAt, expiresAt }
}

/** Approves or refuses a machine that `findDevice` has shown to this user. @throws HubError `not_found` */
export async function decideDevice(
  { env, db }: Pick<Identity, 'env' | 'db'>,
  user: User,
  id: string,
  decision: 'approved' | 'refused',
): Promise<void> {
  const { deviceSignIns } = db.tables
  const decided = await db.query
    .update(deviceSignIns)
    .set({ decision })
    .where(
      and(
        eq(deviceSignIns.id, id),
        eq(deviceSignIns.claimedBy, user.id),
        isNull(deviceSignIns.decision),
        gt(deviceSignIns.expiresAt, env.now()),
      ),
    )
    .returning({ id: deviceSignIns.id })
  if (decided.length === 0) {
    throw new HubError('not_found', 'This machine does not wait for you any more. Run gpuhost login on it again.')
  }
}

/** Those whose time is long up; until then they are told so. */
export async function sweepDevices(env: Env, db: Db): Promise<number> {
  const { deviceSignIns } = db.tables
  await db.query.delete(deviceSignIns).where(lt(deviceSignIns.expiresAt, env.now() - LIFE_MS))
  return 0
}

async function insertWithCode(
  env: Env,
  db: Db,
  row: Omit<Db['tables']['deviceSignIns']['$inferInsert'], 'code'>,
): Promise<string> {
  for (let race = 1; ; race++) {
    const code = randomCode(env)
    try {
      await db.query.insert(db.tables.deviceSignIns).values({ ...row, code })
      return `${code.slice(0, 4)}-${code.slice(4)}`
    } catch (error) {
      // One in millions, while ten thousand wait.
      if (!isUniqueViolation(error) || race === 5) throw error
    }
  }
}

function randomCode(env: Env): string {
  let code = ''
  while (code.length < CODE_LENGTH) {
    // 240 is the last multiple of 20 a byte holds: a plain remainder would favour the first letters.
    for (const byte of env.random(CODE_LENGTH)) {
      if (byte < 240 && code.length < CODE_LENGTH) code += CODE_LETTERS[byte % CODE_LETTERS.length]
    }
  }
  return code
}

function mayOwn(user: User): boolean {
  return user.roles.includes('host') && user.suspendedAt === null && user.erasedAt === null
}

function plainName(text: string): string {
  const name = text.normalize('NFKC').replace(/[^A-Za-z0-9 ._-]+/g, '-')
  return name.trim().slice(0, 40) || 'host'
}

function printable(text: string, most: number): string {
  return text.replace(/\p{C}/gu, '').trim().slice(0, most)
}
