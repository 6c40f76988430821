// What a scenario showed, and whether every promise was kept. Numbers come from the logbook and the books; nothing here
// is rounded in our favour.
import { cpus, totalmem } from 'node:os'
import { VERSION as openaiVersion } from 'openai/version'
import { connectPostgres } from '../db/postgres.ts'
import { formatUsd } from '../sdk/money.ts'
import { columns } from '../bin/lines.ts'
import type { Logbook, Waits } from './logbook.ts'
import type { Books } from './money.ts'
import { type Database, settings, type World } from './processes.ts'
import type { Form } from './question.ts'
import type { Stage } from './stage.ts'

/** What must hold beyond what always must: right texts, right books, and no failure that nobody documented. */
export interface Promises {
  /** Codes a request of this form may fail with. Not named: none. */
  mayFail?: Partial<Record<Form, readonly string[]>>
  /** Of these, codes with which an answer may fail that has begun. Not given: all of them. */
  begunMayFail?: readonly string[]
  /** Longest wait between two chunks, and for the first token, for 99 of 100 streams. */
  stallP99Ms?: number
  firstTokenP99Ms?: number
  /** Most that what the scenario measured may be, in ms. */
  atMostMs?: Record<string, number>
  /** Faults that the run must have made, or it proves nothing. */
  faults: readonly string[]
  /** Events the run must not have seen. */
  never?: readonly string[]
  /** Complete answers at least. */
  complete: number
}

export interface Certificate {
  scenario: string
  kept: boolean
  /** Promises that were not kept, in words. */
  broken: string[]
  database: Database
  seed: number
  seconds: number
  requests: number
  complete: number
  /** By code: whether it is documented, how many came after the answer had begun, how many of each form. */
  failures: Record<string, { documented: boolean; begun: number } & Record<Form, number>>
  /** Answers whose text is not the true one. */
  answers: { truncated: number; missing: number; duplicated: number; different: number; other: number }
  waitsMs: { firstToken: Waits; stall: Waits; ownLag: Waits }
  /** Attempts beyond the first, and answers that went on in the middle, of those that were completed. */
  failovers: number
  resumed: number
  faults: Record<string, number>
  /** What this scenario alone measured: the longest it took. */
  measuredMs: Record<string, number>
  books: Books
  /** The first few of what went wrong, and the requests that waited longest. */
  examples: string[]
  slowest: Logbook['slowest']
  settings: Record<string, string>
  versions: Record<string, string>
  machine: string
}

export interface Circumstances {
  scenario: string
  database: Database
  seed: number
  timed: boolean
  promises: Promises
}

export async function certify(
  { scenario, database, seed, timed, promises }: Circumstances,
  world: World,
  { logbook, measured, ground }: Pick<Stage, 'logbook' | 'measured' | 'ground'>,
  books: Books,
): Promise<Certificate> {
  logbook.close()
  const { truncated = 0, missing = 0, duplicated = 0, different = 0, ...others } = Object.fromEntries(logbook.wrong)
  const found = {
    scenario,
    database,
    seed,
    seconds: logbook.seconds,
    requests: logbook.requests,
    complete: logbook.costs.size,
    failures: Object.fromEntries(logbook.failures),
    answers: { truncated, missing, duplicated, different, other: Object.values(others).reduce((a, b) => a + b, 0) },
    waitsMs: logbook.waits(),
    failovers: logbook.failovers,
    resumed: logbook.resumed,
    faults: Object.fromEntries(logbook.faults),
    measuredMs: Object.fromEntries(measured),
    books,
    examples: logbook.examples,
    slowest: logbook.slowest,
    settings: { ...settings, ...ground?.settings, GPUHUB_SECRET: '…' },
    versions: await versions(world),
    machine: `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
  }
  const broken = [...brokenPromises(found, promises), ...(timed ? late(found, promises) : [])]
  return { ...found, broken, kept: broken.length === 0 }
}

type Found = Pick<
  Certificate,
  'answers' | 'failures' | 'waitsMs' | 'measuredMs' | 'faults' | 'books' | 'complete' | 'requests'
>

/** Pure, so that a test can show that each promise can be broken. */
export function brokenPromises(found: Found, promises: Promises): string[] {
  const { mayFail = {}, begunMayFail, faults, never = [], complete } = promises
  const broken: string[] = []
  const must = (holds: boolean, otherwise: string) => {
    if (!holds) broken.push(otherwise)
  }
  const { answers, books } = found
  for (const [fault, count] of Object.entries(answers)) must(count === 0, `${count} answers are ${fault}`)
  for (const [code, { documented, begun, ...forms }] of Object.entries(found.failures)) {
    const expected = begun === 0 || (begunMayFail?.includes(code) ?? true)
    must(expected, `${begun} answers failed with ${code} after they had begun`)
    for (const [form, count] of Object.entries(forms) as [Form, number][]) {
      if (count === 0) continue
      const allowed = mayFail[form]?.includes(code) ?? false
      must(allowed, `${count} requests for ${form} failed with ${code}${documented ? '' : ', which nobody documented'}`)
    }
  }
  const failed = Object.values(found.failures).reduce((sum, { text, tools, json }) => sum + text + tools + json, 0)
  must(found.complete + failed === found.requests, `${found.requests - found.complete - failed} requests have no end`)
  must(found.complete >= complete, `only ${found.complete} answers were completed, of ${complete} that should be`)
  for (const fault of faults) must((found.faults[fault] ?? 0) > 0, `no ${fault}: the run proves nothing about it`)
  for (const event of never) must(!found.faults[event], `${found.faults[event]} times: ${event}`)
  must(books.sum === '0', `the books sum to ${books.sum}`)
  must(books.difference === '0', `${books.difference} nano-dollars are not accounted for`)
  must(books.openHolds === 0, `${books.openHolds} holds or grants are left`)
  must(
    books.problems.length === 0,
    `the books have ${books.problems.length} problems: ${JSON.stringify(books.problems[0])}`,
  )
  must(books.wrong.length === 0, `${books.wrong.length} requests do not agree with the books: ${books.wrong[0]}`)
  return broken
}

/** What took longer than promised. It says something only where nothing else was running. */
export function late({ waitsMs, measuredMs }: Found, promises: Promises): string[] {
  const { stallP99Ms = Number.POSITIVE_INFINITY, firstTokenP99Ms = Number.POSITIVE_INFINITY, atMostMs = {} } = promises
  const { stall, firstToken } = waitsMs
  const broken: string[] = []
  if (stall.p99 > stallP99Ms) broken.push(`1 stream of 100 stood still for ${stall.p99} ms or longer`)
  if (firstToken.p99 > firstTokenP99Ms)
    broken.push(`1 of 100 waited ${firstToken.p99} ms or longer for its first token`)
  for (const [what, most] of Object.entries(atMostMs)) {
    const took = measuredMs[what] ?? Number.POSITIVE_INFINITY
    if (took > most) broken.push(`${what} took ${took} ms, of ${most} allowed`)
  }
  return broken
}

async function versions(world: World): Promise<Record<string, string>> {
  const hub = await world.command<{ version: string; commit: string; bun: string }>('version')
  const url = world.env.DATABASE_URL
  const known = { gpuhub: `${hub.version} (${hub.commit})`, bun: hub.bun, openai: openaiVersion }
  return url ? { ...known, postgres: await serverVersion(url) } : known
}

async function serverVersion(url: string): Promise<string> {
  const client = connectPostgres(url, 1)
  const [row] = await client`show server_version`
  await client.end({ timeout: 5 })
  return String(row?.server_version)
}

/** For a person. */
export function linesOf(certificate: Certificate): string[] {
  const { answers, waitsMs, books, failures } = certificate
  const counts = (of: Record<string, number>) =>
    Object.entries(of)
      .map(([name, count]) => `${count} ${name}`)
      .join(', ') || 'none'
  const failed = Object.entries(failures).map(([code, { documented, begun, ...forms }]) => {
    const of = Object.entries(forms).filter(([, count]) => count > 0)
    const notes = [
      counts(Object.fromEntries(of)),
      `${begun} after they had begun`,
      documented ? 'documented' : 'NOT DOCUMENTED',
    ]
    return `${code} (${notes.join('; ')})`
  })
  const named = (of: Record<string, string>) =>
    Object.entries(of)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')
  const waits = ({ p50, p99, max }: Waits) => `p50 ${p50} ms, p99 ${p99} ms, longest ${max} ms`
  const usd = (nanos: string) => formatUsd(BigInt(nanos))
  return [
    `${certificate.scenario} on ${certificate.database}: ${certificate.kept ? 'every promise kept' : 'PROMISES BROKEN'}`,
    ...certificate.broken.map((line) => `  broken: ${line}`),
    ...columns([
      ['  requests', `${certificate.requests} in ${certificate.seconds} s, ${certificate.complete} complete`],
      ['  failed', failed.join('; ') || 'none'],
      ['  texts', `${counts(answers)}, next to the oracle's`],
      ['  first token', waits(waitsMs.firstToken)],
      ['  largest gap', `${waits(waitsMs.stall)} (of ${waitsMs.stall.count} streams)`],
      ['  failover', `${certificate.failovers} attempts beyond the first, ${certificate.resumed} answers resumed`],
      ['  faults', counts(certificate.faults)],
      ...Object.entries(certificate.measuredMs).map(([what, ms]) => [`  ${what}`, `${ms} ms at most`]),
      [
        '  money',
        `credit ${usd(books.credit)} = balances ${usd(books.balances)} + earnings ${usd(books.earnings)} + ` +
          `fees ${usd(books.fees)} − refunds ${usd(books.refunds)}${books.difference === '0' ? '' : ' + A DIFFERENCE'}`,
      ],
      [
        '  books',
        `sum ${books.sum}, ${books.openHolds} holds left, ${books.problems.length} problems, ` +
          `${books.billedOnce} answers billed once (${books.alsoRefunded} refunded too), ${books.wrong.length} wrong`,
      ],
      ['  programs', named(certificate.versions)],
      ['  settings', named(certificate.settings)],
      ['  machine', certificate.machine],
      ['  this process', `late by ${waits(waitsMs.ownLag)}; seed ${certificate.seed}`],
    ]),
    ...(certificate.kept ? [] : certificate.slowest).map(
      ({ requestId, firstTokenMs, stallMs }) =>
        `  slow ${requestId}: first token ${firstTokenMs} ms, gap ${stallMs} ms`,
    ),
    ...certificate.examples.map((example) => `  e.g. ${example}`),
  ]
}
