// Books in a database of their own, with a clock that a test moves.
import { type TestDatabase, testDatabase } from '../../db/testing.ts'
import { type Env, newId, systemEnv } from '../../sdk/env.ts'
import type { Money } from '../../sdk/money.ts'
import { type VirtualEnv, virtualEnv } from '../../sdk/testing.ts'
import { silentLog } from '../log.ts'
import { clientAccount } from './chart.ts'
import { checkLedger, type LedgerReport } from './check.ts'
import { type Ended, Ledger, type LedgerOptions } from './ledger.ts'

export const ADA = clientAccount('ada')

export interface TestBooks {
  env: StillEnv
  world: TestDatabase
  /** A hub on these books; several may stand side by side. */
  hub(options?: Partial<LedgerOptions>): Promise<Ledger>
  /** Fails when the books are wrong. */
  audit(): Promise<LedgerReport>
  /** Audits, then drops the database. */
  [Symbol.asyncDispose](): Promise<void>
}

/** A batch that takes longer in real time is one that a test holds up. */
const SLOW_MS = 2_000

export interface StillEnv extends VirtualEnv {
  /** No time passes while a batch of these books is at the database: else they take a busy one for one that hangs. */
  waitFor(books: Pick<Ledger, 'underWay'>): void
}

/** Timers and clocks stand still until `advance`; input and output go on by themselves. */
export function stillEnv(seed = 1): StillEnv {
  const known: Pick<Ledger, 'underWay'>[] = []
  const given = new WeakMap<Promise<unknown>, Promise<unknown>>()
  const answered = () => Promise.all(known.map(({ underWay }) => underWay && withTime(underWay)))
  const withTime = (batch: Promise<unknown>) => {
    const time = given.get(batch) ?? Promise.race([batch.catch(() => {}), Bun.sleep(SLOW_MS)])
    given.set(batch, time)
    return time
  }
  return {
    ...virtualEnv({ seed, now: Date.UTC(2026, 10, 23), answered }),
    soon: (work) => systemEnv.soon(work),
    waitFor: (books) => void known.push(books),
  }
}

export async function testBooks(
  dialect: 'sqlite' | 'postgres',
  credit: Record<string, Money> = {},
): Promise<TestBooks> {
  const env = stillEnv()
  const world = await testDatabase(dialect)
  const audit = async () => {
    const report = await checkLedger(world.db)
    if (!report.ok) throw new Error(`the books are wrong: ${readable(report)}`)
    return report
  }
  const books: TestBooks = {
    env,
    world,
    audit,
    hub: (options = {}) => openTestLedger(env, world, options),
    async [Symbol.asyncDispose]() {
      try {
        await audit()
      } finally {
        await world.drop()
      }
    },
  }
  if (Object.keys(credit).length > 0) {
    const bank = await books.hub({ alone: false })
    for (const [user, amount] of Object.entries(credit)) {
      await bank.credit({ account: clientAccount(user), amount, key: `credit:${user}`, note: 'test credit' })
    }
    await bank.close()
  }
  return books
}

export async function openTestLedger(
  env: Env & Partial<Pick<StillEnv, 'waitFor'>>,
  world: TestDatabase,
  options: Partial<LedgerOptions> = {},
): Promise<Ledger> {
  const hubId = newId(env, 'hub')
  const ledger = await Ledger.open(env, world.db, {
    hubId,
    selfUrl: null,
    feePpm: 150_000,
    writer: 'inline',
    log: silentLog,
    ...options,
  })
  env.waitFor?.(ledger)
  return ledger
}

/** A completed answer of host `berlin` to ada, or whatever else `more` says. */
export function ended(id: string, more: Partial<Ended> = {}): Ended {
  return {
    id,
    userId: 'ada',
    keyId: 'key_ada',
    variant: 'gpuhub/emulator:emulated',
    state: 'completed',
    stream: true,
    at: 1_000,
    endedAt: 2_000,
    firstTokenMs: 10,
    promptTokens: 3,
    completionTokens: 5,
    claimedTokens: 5,
    countsDiffer: false,
    promptPicos: 100_000,
    completionPicos: 200_000,
    hostId: 'berlin',
    attempts: 1,
    resumed: 0,
    finishReason: 'stop',
    errorCode: null,
    ...more,
  }
}

/** Holds and settles one answer to ada. */
export async function pay(ledger: Ledger, id: string, cost: Money, more: Partial<Ended> = {}): Promise<void> {
  const hold = await ledger.hold(clientAccount(more.userId ?? 'ada'), cost)
  await ledger.settle(hold, { ...ended(id, more), cost })
}

/** The refusal's code, the error's message, or null when it went well. */
export async function refusalOf(work: () => unknown): Promise<string | null> {
  try {
    await work()
    return null
  } catch (error) {
    return (error as { code?: string }).code ?? (error as Error).message
  }
}

function readable(report: LedgerReport): string {
  return JSON.stringify(report, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
}
