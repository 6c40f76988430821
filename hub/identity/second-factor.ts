// The second factor: codes of an authenticator app, and ten recovery codes for the day the phone is lost.
import { and, eq, isNotNull, isNull } from 'drizzle-orm'
import { type Db, forUpdate, type Queries } from '../../db/open.ts'
import { transaction } from '../../db/transaction.ts'
import { newId } from '../../sdk/env.ts'
import { HubError } from '../errors.ts'
import { type Letter, recoveryCodeUsed, secondFactorChanged, secondFactorGuessed } from '../mail/letters.ts'
import { type Actor, record } from '../policy/acts.ts'
import type { Identity } from './identity.ts'
import { base32, matchingStep, otpauthUri } from './totp.ts'
import type { User } from './users.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const SECRET_BYTES = 20
const RECOVERY_CODES = 10
/** Whoever gets this far knows the password, so wrong codes count in the database, and each five cost a longer wait. */
const WRONG_CODES = 5
const LOCKS_MS = [15 * MINUTE_MS, HOUR_MS, 4 * HOUR_MS, 24 * HOUR_MS]

export interface SecondFactor {
  /** Base32, to be typed where no picture can be read. */
  secret: string
  /** `otpauth://…`, for a QR code. */
  uri: string
}

export async function hasSecondFactor(db: Db, userId: string): Promise<boolean> {
  const { secondFactors } = db.tables
  const confirmed = and(eq(secondFactors.userId, userId), isNotNull(secondFactors.confirmedAt))
  return (await db.query.$count(secondFactors, confirmed)) > 0
}

/** A new secret, which counts once its owner has shown a code of it. Ask `prove` first. @throws HubError when one is on */
export async function beginSecondFactor({ env, db, seal }: Identity, user: User): Promise<SecondFactor> {
  if (await hasSecondFactor(db, user.id)) {
    throw new HubError('invalid_request', 'Signing in with a code is on already. Turn it off first to use another app.')
  }
  const secret = env.random(SECRET_BYTES)
  const { secondFactors } = db.tables
  const row = {
    ...{ userId: user.id, secret: seal.conceal(env, 'totp', Buffer.from(secret).toString('hex')), confirmedAt: null },
    ...{ lastStep: 0, failures: 0, lockedUntil: null },
  }
  await db.query.insert(secondFactors).values(row).onConflictDoUpdate({ target: secondFactors.userId, set: row })
  return { secret: base32(secret), uri: otpauthUri(secret, user.email) }
}

/** Turns it on. @returns the recovery codes, shown once @throws HubError `wrong_code` */
export async function confirmSecondFactor(identity: Identity, user: User, code: string): Promise<string[]> {
  const { env, db } = identity
  const { secondFactors } = db.tables
  const codes = await transaction(db, async (tx) => {
    const [row] = await tx.select().from(secondFactors).where(eq(secondFactors.userId, user.id))
    if (!row || row.confirmedAt !== null) throw new HubError('invalid_request', 'Begin again: there is no new secret.')
    const step = matchingStep(secretOf(identity, row.secret), digits(code), { now: env.now(), after: 0 })
    if (step === null) throw wrongCode()
    await tx
      .update(secondFactors)
      .set({ confirmedAt: env.now(), lastStep: step })
      .where(eq(secondFactors.userId, user.id))
    await identity.outbox.put(tx, user.email, secondFactorChanged('on'))
    return freshCodes(identity, tx, user.id)
  })
  identity.outbox.wake()
  return codes
}

/** Makes ten new recovery codes; the old ones end. Ask `prove` first. @throws HubError when the second factor is off */
export async function newRecoveryCodes(identity: Identity, user: User): Promise<string[]> {
  if (!(await hasSecondFactor(identity.db, user.id))) {
    throw new HubError('invalid_request', 'Signing in with a code is off, so there is nothing to recover.')
  }
  return transaction(identity.db, (tx) => freshCodes(identity, tx, user.id))
}

export async function recoveryCodesLeft(db: Db, userId: string): Promise<number> {
  const { recoveryCodes } = db.tables
  return db.query.$count(recoveryCodes, and(eq(recoveryCodes.userId, userId), isNull(recoveryCodes.usedAt)))
}

/** An admin turns it off, for somebody who lost app and codes. @throws HubError when it is off */
export async function takeSecondFactor(
  identity: Pick<Identity, 'env' | 'db'> & { outbox: Pick<Identity['outbox'], 'put' | 'wake'> },
  by: Actor,
  user: User,
): Promise<void> {
  const { env, db, outbox } = identity
  if (!(await hasSecondFactor(db, user.id))) {
    throw new HubError('not_found', 'This user has no second factor.')
  }
  await transaction(db, async (tx) => {
    await dropSecondFactor(db, tx, user.id)
    await record(env, db, tx, { by, what: 'user.second-factor.off', subject: user.id })
    await outbox.put(tx, user.email, secondFactorChanged('off'))
  })
  outbox.wake()
}

/** Turns it off. Ask `prove` first. */
export async function removeSecondFactor(identity: Identity, user: User): Promise<void> {
  const { db, outbox } = identity
  await transaction(db, async (tx) => {
    await dropSecondFactor(db, tx, user.id)
    await outbox.put(tx, user.email, secondFactorChanged('off'))
  })
  outbox.wake()
}

export async function dropSecondFactor({ tables }: Db, tx: Queries, userId: string): Promise<void> {
  await tx.delete(tables.recoveryCodes).where(eq(tables.recoveryCodes.userId, userId))
  await tx.delete(tables.secondFactors).where(eq(tables.secondFactors.userId, userId))
}

/** Wrong codes are forgiven: the account was recovered by other means. */
export async function unlockSecondFactor(
  { tables: { secondFactors } }: Db,
  tx: Queries,
  userId: string,
): Promise<void> {
  await tx.update(secondFactors).set({ failures: 0, lockedUntil: null }).where(eq(secondFactors.userId, userId))
}

/** @throws HubError `wrong_code`; `rate_limit_exceeded` after too many */
export async function checkSecondFactor(identity: Identity, user: User, code: string): Promise<void> {
  const { env, db, outbox } = identity
  const { secondFactors } = db.tables
  // Not thrown inside: a wrong code is to be counted.
  const refusal = await transaction(db, async (tx): Promise<HubError | null> => {
    const mine = eq(secondFactors.userId, user.id)
    const [row] = await forUpdate(tx.select().from(secondFactors).where(mine))
    if (!row) return wrongCode()
    if (row.lockedUntil !== null && row.lockedUntil > env.now()) return locked(row.lockedUntil - env.now())
    const step = matchingStep(secretOf(identity, row.secret), digits(code), { now: env.now(), after: row.lastStep })
    if (step !== null) {
      await tx.update(secondFactors).set({ lastStep: step, failures: 0, lockedUntil: null }).where(mine)
      return null
    }
    if (await useRecoveryCode(identity, tx, user.id, code)) {
      await tx.update(secondFactors).set({ failures: 0, lockedUntil: null }).where(mine)
      await outbox.put(tx, user.email, await usedLetter(db, tx, user.id))
      return null
    }
    const failures = row.failures + 1
    const lockMs = failures % WRONG_CODES === 0 ? lockAfter(failures) : null
    await tx
      .update(secondFactors)
      .set({ failures, lockedUntil: lockMs === null ? null : env.now() + lockMs })
      .where(mine)
    if (failures === WRONG_CODES) await outbox.put(tx, user.email, secondFactorGuessed())
    return wrongCode()
  })
  outbox.wake()
  if (refusal) throw refusal
}

async function useRecoveryCode(identity: Identity, tx: Queries, userId: string, code: string): Promise<boolean> {
  const { recoveryCodes } = identity.db.tables
  const used = await tx
    .update(recoveryCodes)
    .set({ usedAt: identity.env.now() })
    .where(
      and(
        eq(recoveryCodes.mac, macOf(identity, userId, code)),
        eq(recoveryCodes.userId, userId),
        isNull(recoveryCodes.usedAt),
      ),
    )
    .returning({ id: recoveryCodes.id })
  return used.length > 0
}

async function freshCodes(identity: Identity, tx: Queries, userId: string): Promise<string[]> {
  const { env, db } = identity
  const { recoveryCodes } = db.tables
  await tx.delete(recoveryCodes).where(eq(recoveryCodes.userId, userId))
  const codes = Array.from({ length: RECOVERY_CODES }, () => {
    const text = base32(env.random(7)).toLowerCase().slice(0, 10)
    return `${text.slice(0, 5)}-${text.slice(5)}`
  })
  await tx
    .insert(recoveryCodes)
    .values(codes.map((code) => ({ id: newId(env, 'rec'), userId, mac: macOf(identity, userId, code), usedAt: null })))
  return codes
}

async function usedLetter({ tables: { recoveryCodes } }: Db, tx: Queries, userId: string): Promise<Letter> {
  return recoveryCodeUsed(
    await tx.$count(recoveryCodes, and(eq(recoveryCodes.userId, userId), isNull(recoveryCodes.usedAt))),
  )
}

/** However it was typed: small or large, with or without its dash. */
function macOf({ seal }: Identity, userId: string, code: string): string {
  return seal.name('recovery', `${userId} ${code.toLowerCase().replace(/[^a-z2-7]/g, '')}`)
}

function secretOf({ seal }: Identity, sealed: string): Uint8Array {
  try {
    return Buffer.from(seal.reveal('totp', sealed), 'hex')
  } catch (error) {
    throw new HubError(
      'wrong_code',
      'Codes no longer work here, for the secret of the hub was changed. Ask the people who run it to turn yours off.',
      { param: 'code', cause: error },
    )
  }
}

function digits(code: string): string {
  return code.replace(/\s/g, '')
}

function lockAfter(failures: number): number {
  return LOCKS_MS[Math.min(LOCKS_MS.length, failures / WRONG_CODES) - 1] ?? 0
}

function wrongCode(): HubError {
  return new HubError(
    'wrong_code',
    'This code is not right. Wait for the next one in your app, or use a recovery code.',
    {
      param: 'code',
    },
  )
}

function locked(waitMs: number): HubError {
  const minutes = Math.ceil(waitMs / MINUTE_MS)
  return new HubError('rate_limit_exceeded', `Too many wrong codes. Try again in ${minutes} minutes.`, {
    retryAfterSeconds: waitMs / 1_000,
  })
}
