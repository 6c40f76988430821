// What must be true of a history when it is over: of every request, of every cent.
import { charge, type Money, type Price } from '../sdk/money.ts'
import { encode } from '../sdk/wire/vocabulary.ts'
import { fullCost, mostCost } from './ask.ts'
import { judgeEffort } from './effort.ts'
import type { Fault } from './plan.ts'
import { rareInVisit } from './sometimes.ts'
import type { Visit } from './visit.ts'
import { fullCheck } from './watch.ts'
import type { Attempt } from './wire.ts'
import type { World } from './world.ts'

/** The emulated model's price, which never moves here. */
const PRICE: Price = { prompt: 20_000, completion: 100_000 }

export interface Row {
  id: string
  user_id: string
  state: 'completed' | 'cancelled' | 'failed' | 'lost'
  cost: bigint
  host_id: string | null
}

export function judge(world: World): void {
  fullCheck(world)
  const rows = new Map(readRows(world).map((row) => [row.id, row]))
  const known = new Set(world.visits.map(({ requestId }) => requestId))
  for (const visit of world.visits) {
    const row = visit.requestId === null ? undefined : rows.get(visit.requestId)
    judgeVisit(world, visit, row)
    judgeAdmission(world, visit)
    const end = world.gaveUp.get(visit.requestId ?? '')
    if (end) judgeEffort(world, visit, end)
    for (const rare of rareInVisit(visit, row)) world.saw(rare)
  }
  // Requests whose answer nobody ever saw: the hub died with them. What is kept under its key can still be fetched.
  const kept = keptAnswers(world)
  for (const row of rows.values())
    if (!known.has(row.id) && paid(row) > 0n && !kept.has(row.id))
      world.broken('nobody pays for an answer that was never given', JSON.stringify(text(row)))
  judgeErrands(world, rows)
  judgeAccounts(world)
}

/** What is sent again with its key costs once. */
function judgeErrands(world: World, rows: Map<string, Row>): void {
  for (const [key, visits] of Map.groupBy(world.visits, ({ errand }) => errand.key)) {
    if (key === null) continue
    const ids = new Set(visits.flatMap(({ requestId }) => requestId ?? []))
    const charged = [...ids].filter((id) => paid(rows.get(id)) > 0n && rows.get(id)?.state === 'completed')
    if (charged.length > 1) world.broken('an errand costs once', `${key}: ${charged.join(', ')}`)
  }
}

function readRows({ disk }: World): Row[] {
  return disk.client.query('select id, user_id, state, cost, host_id from requests').all() as Row[]
}

function keptAnswers({ disk }: World): Set<string> {
  const ids = disk.client.query('select request_id from onces where answer is not null').values()
  return new Set(ids.flat().map(String))
}

/** What a request cost in the end. */
function paid(row: Row | undefined): Money {
  return !row || row.state === 'lost' ? 0n : row.cost
}

function judgeVisit(world: World, visit: Visit, row: Row | undefined): void {
  const { ask, story, outcome, status } = visit
  const broken = (rule: string, detail = '') =>
    world.broken(rule, `${ask.tag} ${visit.requestId}: ${detail} ${describe(visit, row)}`)
  const hubDied = visit.hub !== null && world.crashed.has(visit.hub)

  if (outcome === 'running') return broken('every request ends')
  if (visit.hub === null) return
  if (visit.error === 'internal' || story.error === 'internal') broken('nothing fails inside the hub')
  // A hub that leaves does not wait for bodies that are still on their way to it.
  if (outcome === 'broken' && (status === null || status === 499)) return
  // A hub that ends waits some seconds for its last words to be read; one that goes on gives up who does not, after a
  // minute.
  const behind = visit.congested || (visit.cutOff && visit.slow)
  if (outcome === 'broken' && !hubDied && !behind) broken('no connection just breaks')
  const left = visit.gone || (outcome === 'broken' && visit.congested)
  if (visit.cutOff && !story.done && paid(row) > 0n) broken('nobody pays for an answer cut by the hub')
  if (row && row.user_id !== visit.customer.userId) broken('who asks is who pays')
  // Judged when it was given first.
  if (visit.replayed) return
  const refused = status !== null && status !== 200
  const failed = story.error !== null
  if ((refused || failed) && paid(row) > 0n) broken('what fails costs nothing')
  if (refused || failed) return
  if (row && row.cost > 0n) judgeHost(visit, row, broken)

  const full = fullCost(ask, PRICE)
  const lied = world.liedAbout.has(ask.tag)
  const unsure = world.unsure.has(ask.tag)
  // Who goes on past the limit may yet show more of a call than the truth does, within the limit.
  const most = ask.plain ? full : mostCost(ask, PRICE)
  const exact = (cost: Money, wanted: Money) => unsure || (lied ? cost <= most : cost === wanted)
  if (story.done) {
    // Refunded when its end did not reach the network for certain.
    const mayBeLost = hubDied || left
    if (row?.state !== 'completed' && !(row?.state === 'lost' && mayBeLost)) broken('a complete answer is billed')
    if (row && !exact(row.cost, full)) broken('a complete answer costs what it costs', `${row.cost}, not ${full};`)
  } else if (left) {
    if (row?.state === 'completed' && !exact(row.cost, full)) broken('a charge that raced a hang-up is the full one')
    if (row?.state === 'cancelled') judgeCancelled(world, visit, row, broken)
    if (!row && !hubDied && status === 200) broken('every request is written down')
  } else if (!hubDied) broken('every request ends in a way its client can act on')
  else if (paid(row) > 0n) broken('nobody pays for an answer cut by the hub')
}

/** Who was let in, and who is told what once they were. */
function judgeAdmission(world: World, visit: Visit): void {
  const { ask, errand, customer, error, story, hub } = visit
  // Of an errand under way twice nobody can say for which of them a host was asked.
  const alone = world.visits.every((other) => other === visit || other.errand !== errand)
  const attempts = alone ? visit.attempts : []
  const broken = (rule: string, detail: string) => world.broken(rule, `${ask.tag} ${visit.requestId}: ${detail}`)
  const failure = error ?? story.error
  const revokedAt = world.revokedAt.get(customer.keyId) ?? Number.POSITIVE_INFINITY
  if (visit.startedAt > revokedAt + REVOKED_MS && attempts.length > 0) broken('a revoked key opens nothing', '')
  if (failure === 'insufficient_quota' && attempts.length > 0 && !world.buried.has(hub ?? ''))
    broken('who was let in has the money', failure)
  const most = ask.body.max_tokens
  if (ask.plain && typeof most === 'number' && encode(story.choices[0]!.content.replace(/\uFFFD+$/, '')).length > most)
    broken('no answer is longer than was asked for', `more than ${most} tokens`)
  // One that says nothing is believed only when another says nothing, too.
  const blank = ask.truths.every(({ text, reasoning, toolCalls }) => text + reasoning === '' && toolCalls.length === 0)
  if (!world.plan.faults.every((fault) => HARMLESS.includes(fault)) || failure === null || blank) return
  if (
    failure.startsWith('upstream_') ||
    failure === 'hub_unavailable' ||
    (failure === 'no_capacity' && attempts.length > 0)
  )
    broken('where nothing is wrong nothing fails', failure)
}

/** Every hub knows of a revoked key within a second. */
const REVOKED_MS = 1_000
/** What a client should never notice. */
const HARMLESS: readonly Fault[] = [
  ...([
    'latency',
    'hang-up',
    'late-hang-up',
    'slow-reader',
    'slow-body',
    'burst',
    'low-balance',
    'revoked-key',
  ] as const),
  ...(['inflates', 'clutters', 'deaf', 'goes-on', 'owner-pause', 'clock-jump'] as const),
]

function judgeCancelled(world: World, visit: Visit, row: Row, broken: (rule: string, detail: string) => void): void {
  const { ask, story } = visit
  const told = story.choices[0]!
  const completion = encode(told.content).length
  const wanted = story.begun ? charge(PRICE, { prompt: ask.truths[0]!.prompt.length, completion }) : 0n
  const whole = world.unsure.has(ask.tag) ? mostCost(ask, PRICE) : fullCost(ask, PRICE)
  if (row.cost > whole) broken('who leaves pays no more than the whole', `${row.cost};`)
  if (!story.begun && row.cost > 0n) broken('who leaves before the first token pays nothing', `${row.cost};`)
  // Who leaves between two hosts got words of one that failed, and nobody is there to be paid.
  if (!ask.plain || world.unsure.has(ask.tag) || (row.host_id === null && row.cost === 0n && visit.between)) return
  if (world.liedAbout.has(ask.tag) ? row.cost > wanted : row.cost !== wanted)
    broken('who leaves pays for what was written to them', `${row.cost}, not ${wanted};`)
}

/** The host that finished is paid, and no other. */
function judgeHost({ attempts, errand }: Visit, row: Row, broken: (rule: string, detail: string) => void): void {
  // Of an errand sent again each time has a last attempt, and each time may be the one that was paid.
  const last = attempts.filter((_, at) => at === attempts.length - 1 || attempts[at + 1]?.number === 1)
  const paid = errand.key === null ? last.slice(-1) : last
  if (paid.every(({ hostId }) => hostId !== row.host_id))
    broken('the host that finishes is paid', `${row.host_id} of ${attempts.map(name).join(', ')};`)
}

const name = ({ hostId, number, state }: Attempt) => `${hostId} (attempt ${number}: ${state})`

function judgeAccounts(world: World): void {
  const { client } = world.disk
  const spent = new Map<string, Money>()
  for (const row of readRows(world)) {
    const account = `client:${row.user_id}`
    spent.set(account, (spent.get(account) ?? 0n) + paid(row))
  }
  for (const [account, given] of world.credited) {
    const row = client.query('select balance, granted from accounts where id = ?').get(account) as {
      balance: bigint
      granted: bigint
    } | null
    const left = given - (spent.get(account) ?? 0n)
    if (!row || row.balance !== left)
      world.broken('a balance is what was given less what was spent', `${account}: ${row?.balance}, not ${left}`)
    else if (row.granted !== 0n) world.broken('nothing stays set aside', `${account}: ${row.granted}`)
  }
}

function describe({ outcome, status, story, gone, ended, hub }: Visit, row: Row | undefined): string {
  return JSON.stringify({
    outcome,
    status,
    done: story.done,
    error: story.error,
    gone,
    ended,
    hub,
    row: row && text(row),
  })
}

function text(row: Row): object {
  return { ...row, cost: String(row.cost) }
}
