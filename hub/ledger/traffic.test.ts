import { describe, expect, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import { type TestDatabase, testDatabase, testDialects } from '../../db/testing.ts'
import type { EndState } from '../../db/schema/requests.ts'
import { helloOf } from '../tunnel/testing.ts'
import { BEGUN_WITHIN_MS, DAY_MS, HOUR_MS, rollUp } from './roll-up.ts'
import {
  begunWithin,
  folded,
  percentile,
  type Question,
  totalOf,
  type Traffic,
  trafficOf,
  type Want,
  variantIn,
  type Whose,
} from './traffic.ts'

type Row = TestDatabase['db']['tables']['requests']['$inferSelect']

const NOON = Date.UTC(2026, 10, 20, 12)
const HOSTS = ['berlin', 'kyoto', 'osaka']
/** By whose it is. */
const OWNERS: Record<string, string> = { berlin: 'wim', kyoto: 'aoi', osaka: 'aoi' }

/** The same requests every time: three days of them, some that last over midnight, all states. */
function requests(): Row[] {
  let seed = 7
  const draw = (most: number) => (seed = (seed * 48_271) % 2_147_483_647) % most
  return Array.from({ length: 400 }, (_, i) => {
    const at = NOON - 3 * DAY_MS + draw(3 * DAY_MS)
    const state = (['completed', 'completed', 'completed', 'cancelled', 'failed', 'lost'] as EndState[])[draw(6)]!
    const charged = state === 'completed' || state === 'cancelled' || state === 'lost'
    const cost = charged ? BigInt(draw(1_000_000)) : 0n
    return {
      id: `req_${i}`,
      hubId: 'hub',
      userId: ['ada', 'bob'][draw(2)]!,
      keyId: `key_${draw(3)}`,
      variant: ['a:bf16', 'b:fp8'][draw(2)]!,
      state,
      stream: true,
      at,
      endedAt: at + draw(i % 10 === 0 ? 3 * HOUR_MS : 20_000),
      firstTokenMs: charged ? draw(900) : null,
      promptTokens: charged ? draw(500) : 0,
      completionTokens: charged ? draw(500) : 0,
      claimedTokens: null,
      countsDiffer: false,
      promptPicos: 20_000,
      completionPicos: 100_000,
      cost,
      fee: cost / 10n,
      hostShare: cost - cost / 10n,
      hostId: charged ? HOSTS[draw(3)]! : null,
      attempts: 1 + draw(2),
      resumed: 0,
      finishReason: null,
      errorCode: null,
      delivered: true,
    }
  })
}

type Brief = Pick<Traffic, 'group' | 'cost' | 'moved' | 'lost' | 'completionTokens' | 'begun' | 'within'>

function isOf({ userId, hostId }: Row, whose: Whose): boolean {
  if (whose === 'everybody') return true
  if ('userId' in whose) return userId === whose.userId
  const host = hostId ?? ''
  return 'hostIds' in whose ? whose.hostIds.includes(host) : OWNERS[host] === whose.ownerId
}

/** The same sums, one row after the other. */
function counted(rows: Row[], whose: Whose, { from, to, by }: Question): Brief[] {
  const groups = new Map<string, Brief>()
  for (const row of rows) {
    if (!isOf(row, whose)) continue
    if (row.endedAt < Math.floor(from / HOUR_MS) * HOUR_MS || row.endedAt >= to) continue
    if (by === 'host' && row.hostId === null) continue
    const group = {
      all: '',
      hour: String(row.endedAt - (row.endedAt % HOUR_MS)),
      day: String(row.endedAt - (row.endedAt % DAY_MS)),
      variant: row.variant,
      key: row.keyId,
      host: row.hostId ?? '',
      'hour and variant': `${row.endedAt - (row.endedAt % HOUR_MS)} ${row.variant}`,
      'day and variant': `${row.endedAt - (row.endedAt % DAY_MS)} ${row.variant}`,
      'key and variant': `${row.keyId} ${row.variant}`,
    }[by]
    const sum = groups.get(group) ?? {
      ...{ group, cost: 0n, moved: 0, lost: 0, completionTokens: 0, begun: 0 },
      within: BEGUN_WITHIN_MS.map(() => 0),
    }
    const charged = row.state === 'completed' || row.state === 'cancelled'
    groups.set(group, {
      group,
      cost: sum.cost + (charged ? row.cost : 0n),
      moved: sum.moved + (row.state === 'completed' && row.attempts > 1 ? 1 : 0),
      lost: sum.lost + (row.state === 'lost' ? 1 : 0),
      completionTokens: sum.completionTokens + (charged ? row.completionTokens : 0),
      begun: sum.begun + (row.firstTokenMs === null ? 0 : 1),
      within: BEGUN_WITHIN_MS.map((ms, i) => sum.within[i]! + ((row.firstTokenMs ?? Infinity) <= ms ? 1 : 0)),
    })
  }
  return [...groups.values()].sort((a, b) => (a.group < b.group ? -1 : 1))
}

async function addHosts(db: TestDatabase['db']): Promise<void> {
  const { hardware } = helloOf({})
  const more = { tokenId: 'token', agent: 'test', hardware, simulated: true, createdAt: NOON, seenAt: NOON }
  await db.query
    .insert(db.tables.hosts)
    .values(HOSTS.map((id) => ({ id, ownerId: OWNERS[id]!, machine: id, name: id, ...more })))
}

const brief = ({ group, cost, moved, lost, completionTokens, begun, within }: Traffic): Brief => ({
  ...{ group, cost, moved, lost, completionTokens, begun, within },
})

const nothing: Traffic = {
  ...{ group: '', completed: 0, cancelled: 0, failed: 0, lost: 0, moved: 0, promptTokens: 0, completionTokens: 0 },
  ...{ cost: 0n, hostShare: 0n, begun: 0, within: BEGUN_WITHIN_MS.map(() => 0), tokensPerSecond: null },
}

const WHOSE: Whose[] = ['everybody', { userId: 'ada' }, { hostIds: ['kyoto'] }, { ownerId: 'aoi' }]

function questionsOf(whose: Whose): Question[] {
  const ofClient = typeof whose === 'object' && 'userId' in whose
  const groups = [
    ...(['all', 'hour', 'day', 'variant', 'hour and variant', 'day and variant'] as const),
    ...(ofClient || whose === 'everybody' ? (['key', 'key and variant'] as const) : []),
    ...(ofClient ? [] : (['host'] as const)),
  ]
  return groups.flatMap((by) => [
    { from: NOON - 7 * DAY_MS, to: NOON + DAY_MS, by, want: 'everything' },
    { from: NOON - DAY_MS, to: NOON + 1, by, want: 'everything' },
    { from: NOON - 26 * HOUR_MS - 12_345, to: NOON - 3 * HOUR_MS, by, want: 'everything' },
  ])
}

describe.each(testDialects)('traffic on %s', (dialect) => {
  test.each(WHOSE)(
    'of %p is the same before, while and after it is summed, and when an answer is lost',
    async (whose) => {
      const world = await testDatabase(dialect)
      const { db } = world
      const rows = requests()
      await db.query.insert(db.tables.requests).values(rows)
      await addHosts(db)
      const same = async () => {
        for (const question of questionsOf(whose))
          expect((await trafficOf(db, whose, question)).map(brief)).toEqual(counted(rows, whose, question))
      }
      await same()
      for (const now of [NOON - 2 * DAY_MS, NOON - 5 * HOUR_MS, NOON + 60_000, NOON + 10 * DAY_MS]) {
        while ((await rollUp(db, now)) > 0);
        await same()
      }
      const found = rows.find((row) => row.state === 'completed' && row.hostId === 'kyoto' && row.userId === 'ada')!
      found.state = 'lost'
      await db.query.update(db.tables.requests).set({ state: 'lost' }).where(eq(db.tables.requests.id, found.id))
      while ((await rollUp(db, NOON + 10 * DAY_MS)) > 0);
      await same()
      await world.drop()
    },
  )

  test('that is asked for some sums only is 0 in the others', async () => {
    const world = await testDatabase(dialect)
    const { db } = world
    await db.query.insert(db.tables.requests).values(requests())
    while ((await rollUp(db, NOON - 5 * HOUR_MS)) > 0);
    const ask = async (want: Want) => {
      const question = { from: NOON - 7 * DAY_MS, to: NOON + DAY_MS, by: 'all', want } as const
      return (await trafficOf(db, { userId: 'ada' }, question))[0]!
    }
    const { completed, cancelled, failed, lost, moved, cost } = await ask('everything')
    expect(await ask('cost')).toEqual({ ...nothing, cost })
    expect(await ask('outcomes')).toEqual({ ...nothing, completed, cancelled, failed, lost, moved })
    await world.drop()
  })

  test('by fewer groups is what its rows by more groups add up to', async () => {
    const world = await testDatabase(dialect)
    const { db } = world
    await db.query.insert(db.tables.requests).values(requests())
    while ((await rollUp(db, NOON - 5 * HOUR_MS)) > 0);
    const ask = (by: Question['by']) =>
      trafficOf(db, { userId: 'ada' }, { from: NOON - 7 * DAY_MS, to: NOON + DAY_MS, by, want: 'everything' })
    const without = (rows: Traffic[]) => rows.map((row) => ({ ...row, tokensPerSecond: null }))
    const fine = without(await ask('day and variant'))
    const sorted = (rows: { group: string }[]) => rows.toSorted((a, b) => (a.group < b.group ? -1 : 1))
    expect(sorted(folded(fine, variantIn))).toEqual(without(await ask('variant')))
    expect(sorted(folded(fine, (group) => group.split(' ')[0]!))).toEqual(without(await ask('day')))
    expect(totalOf(fine)).toEqual(without(await ask('all'))[0]!)
    expect(totalOf([])).toBeNull()
    await world.drop()
  })

  test('is summed once when several hubs do it at once', async () => {
    const world = await testDatabase(dialect)
    const { db } = world
    const rows = requests()
    await db.query.insert(db.tables.requests).values(rows)
    await Promise.all(Array.from({ length: 4 }, () => rollUp(db, NOON)))
    const all: Question = { from: 0, to: NOON + DAY_MS, by: 'variant', want: 'everything' }
    expect((await trafficOf(db, 'everybody', all)).map(brief)).toEqual(counted(rows, 'everybody', all))
    await world.drop()
  })
})

test.each([
  [[], 0.5, null],
  [[1], 0.5, 50],
  [[50, 51], 0.5, 50],
  [[50, 51], 0.95, 100],
  [[...Array.from({ length: 19 }, () => 120), 9_000], 0.95, 150],
  [[...Array.from({ length: 18 }, () => 120), 9_000, 40_000], 0.95, 10_000],
  [[40_000], 0.5, Infinity],
])('of answers that began after %p ms, the share %p began within %p', (times, share, expected) => {
  const within = BEGUN_WITHIN_MS.map((ms) => times.filter((time) => time <= ms).length)
  expect(begunWithin({ begun: times.length, within }, share)).toBe(expected)
})

test.each([
  [[], 0.5, null],
  [[7], 0.95, 7],
  [[1, 2, 3, 4], 0.5, 2],
  [[1, 2, 3, 4], 0.95, 4],
])('of %p the share %p does not exceed %p', (values, share, expected) => {
  expect(percentile(values, share)).toBe(expected)
})
