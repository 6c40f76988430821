// The server time of every page on a hub that has a year behind it: a million requests, five hundred machines.
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { cookieFor } from '../hub/identity/cookie.ts'
import type { Role } from '../hub/identity/users.ts'
import { routes } from '../web/web.tsx'
import { goals, judge } from './goals.ts'
import { freePort, ready } from './hub.ts'
import type { Lone } from './lone.ts'
import { cpuNs, SUT_CORE, startProgram } from './machine.ts'
import { lowerQuartile, quantile } from './numbers.ts'
import { table } from './report.ts'
import { seedYear, type Year, YEAR } from './year.ts'

/** A page's figure is the lower quartile of its rounds: the machine may have had other things to do in the others. */
const ROUNDS = 5
const VISITS = 8
const WARM_VISITS = 3
/** The gallery is for development; an export is limited to a few an hour. */
const NO_PAGE = /^\/dev\/gallery|^\/machines$|^\/account\/export$/

export const pages: Lone = {
  name: 'pages',
  quick: false,
  async run(bench) {
    const folder = join(bench.world.folder, 'year')
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const began = performance.now()
    const year = await seedYear(folder)
    const seconds = (performance.now() - began) / 1e3
    try {
      const seen = await measure(folder, year)
      const slowest = seen[0]
      return {
        lines: [
          `${YEAR.requests.toLocaleString('en')} requests of a year, ${YEAR.hosts} machines; seeded in ${seconds.toFixed(0)} s`,
          pageTable(seen),
        ],
        judged: [judge(goals.page, slowest?.p95 ?? null, 0, slowest?.path ?? '')],
        figures: { seconds, pages: seen },
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
}

export interface Seen {
  path: string
  /** Milliseconds from request to the last byte; of a stream, to the first part. */
  p50: number
  p95: number
  max: number
  /** Milliseconds of the hub's processor for a visit. */
  cpu: number
}

/** Every page, the slowest first. @throws when one does not answer as it should */
export async function measure(folder: string, year: Year): Promise<Seen[]> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const hub = startProgram([join(import.meta.dirname, '..', 'dist', 'gpuhub'), 'serve'], {
    core: SUT_CORE,
    cwd: folder,
    env: { GPUHUB_DATA: folder, GPUHUB_PORT: String(port), GPUHUB_LOG_JSON: '1' },
    log: join(folder, 'hub.log'),
  })
  try {
    await ready(hub, `${url}/readyz`)
    const visits = addresses(year).map(({ path, who }) => ({
      path,
      cookie: who === null ? '' : (cookieFor(url, year.sessions[who]).split(';')[0] ?? ''),
      rounds: [] as Omit<Seen, 'path'>[],
    }))
    for (let round = 0; round < ROUNDS; round++)
      for (const { path, cookie, rounds } of visits) {
        const times: number[] = []
        if (round === 0) for (let i = 0; i < WARM_VISITS; i++) await visit(url + path, cookie)
        const before = cpuNs([hub.pid])
        for (let i = 0; i < VISITS; i++) times.push(await visit(url + path, cookie))
        const cpu = (cpuNs([hub.pid]) - before) / 1e6 / VISITS
        rounds.push({ p50: quantile(times, 0.5), p95: quantile(times, 0.95), max: Math.max(...times), cpu })
      }
    return visits
      .map(({ path, rounds }) => {
        const quiet = (name: keyof (typeof rounds)[number]) => lowerQuartile(rounds.map((round) => round[name]))
        return { path, p50: quiet('p50'), p95: quiet('p95'), max: quiet('max'), cpu: quiet('cpu') }
      })
      .sort((a, b) => b.p95 - a.p95)
  } finally {
    await hub.end('SIGKILL')
  }
}

/** Milliseconds. */
async function visit(address: string, cookie: string): Promise<number> {
  const stop = new AbortController()
  const began = performance.now()
  const answer = await fetch(address, { headers: { cookie }, redirect: 'manual', signal: stop.signal })
  if (answer.status !== 200) throw new Error(`${address} answered ${answer.status}: ${await answer.text()}`)
  const firstPart = /\/live$|\.csv/.test(address)
  if (!firstPart) {
    await answer.arrayBuffer()
    return performance.now() - began
  }
  const reader = answer.body?.getReader()
  await reader?.read()
  const took = performance.now() - began
  stop.abort()
  return took
}

interface Address {
  path: string
  who: Role | null
}

/** Every page of the route table, the ones that name something with something, and their filters and later pages. */
function addresses({ things }: Year): Address[] {
  const { client, key, idleKey, variant, rareVariant, request, olderRequest, host, olderHost, report, entry } = things
  const model = variant.split(':')[0] ?? ''
  const named: Record<string, string> = {
    '/models/': model,
    '/docs/': 'quickstart',
    '/client/keys/': key,
    '/client/requests/': request,
    '/host/machines/': host,
    '/admin/fleet/': host,
    '/admin/users/': client,
    '/admin/models/': variant,
    '/admin/reports/': report,
  }
  const plain = routes
    .filter(({ method, path }) => method === 'GET' && !NO_PAGE.test(path))
    .filter(
      ({ who, path }) =>
        who !== 'anyone' || !/^\/(password|sign|first-admin|account)/.test(path) || path === '/sign-in',
    )
    .map(({ path, who }): Address => {
      const variable = /[:*]\w+$|:\w+/.exec(path)
      const before = variable ? path.slice(0, variable.index) : ''
      const thing = named[before]
      if (variable && thing === undefined) throw new Error(`${path} names something: say in the bench which`)
      const address = variable ? before + thing + path.slice(variable.index + variable[0].length) : path
      return { path: address, who: who === 'anyone' ? null : who === 'signed in' ? 'client' : who }
    })
  const ask = (who: Role, path: string, queries: string[]) =>
    queries.map((query) => ({ path: `${path}?${query}`, who }))
  return [
    ...plain,
    ...ask('client', '/client', ['period=today', 'period=30d']),
    ...ask('client', '/client/usage', [
      `before=${olderRequest}`,
      'state=failed',
      'state=lost',
      `model=${encodeURIComponent(rareVariant)}`,
      `key=${idleKey}`,
      `key=${key}&state=cancelled&before=${olderRequest}`,
      `day=${new Date(Date.now() - 90 * 86_400_000).toISOString().slice(0, 10)}`,
    ]),
    ...ask('client', '/client/usage.csv', [`key=${idleKey}`]),
    ...ask('host', '/host', ['period=today', 'period=30d']),
    ...ask('host', '/host/machines', ['state=gone', 'search=4090', `seen=${olderHost.seenAt}&after=${olderHost.id}`]),
    ...ask('admin', '/admin', ['period=7d', 'period=30d']),
    ...ask('admin', '/admin/fleet', [
      `seen=${olderHost.seenAt}&after=${olderHost.id}`,
      'search=4090&vetting=vetted',
      'state=ready',
    ]),
    ...ask('admin', '/admin/users', [`after=${client}`, 'search=client39', 'role=host&state=active']),
    ...ask('admin', '/admin/ledger', [
      `account=client:${client}`,
      `account=platform:fees&at=${entry.at}&posting=${entry.posting}`,
      `account=platform:credits`,
    ]),
    ...ask('admin', '/admin/acts', [`subject=${host}`]),
    ...ask('admin', '/admin/reports', ['state=closed']),
  ]
}

function pageTable(seen: readonly Seen[]): string {
  return table([
    ['page', 'p50 ms', 'p95', 'max', 'CPU ms'],
    ...seen.map(({ path, p50, p95, max, cpu }) => [
      shortened(path),
      ...[p50, p95, max, cpu].map((ms) => ms.toFixed(1)),
    ]),
  ])
}

function shortened(path: string): string {
  return path.replaceAll(/\w+_\w{26}/g, '…')
}
