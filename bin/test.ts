// `bun run test [PATTERN…]`: every test, on both databases, with the programs as they are shipped.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildPrograms } from './build.ts'
import { type TestServer, testServer } from './postgres.ts'

const root = join(import.meta.dirname, '..')
const TEST_MS = 60_000
const ALL_MS = 30 * 60_000

interface Count {
  passed: number
  failed: number
  skipped: number
}

const folder = mkdtempSync(join(tmpdir(), 'gpuhub-run-'))
let server: TestServer | undefined
let tests: Bun.Subprocess | undefined

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  process.once(signal, () => void stop().then(() => process.exit(code)))
}

process.exitCode = await main().finally(stop)

async function main(): Promise<number> {
  const missing = await findServer()
  if (missing && process.env.CI) {
    console.error(`\nNot a complete run: ${missing}`)
    console.log('0 passed, 1 failed')
    return 1
  }
  const dist = join(root, 'dist')
  await buildPrograms(dist)
  const count = await runTests({ ...withoutSettings(process.env), TEST_DATABASE_URL: server?.url, GPUHUB_DIST: dist })
  if (missing) console.error(`\nNOT RUN: every test on PostgreSQL. ${missing}`)
  if (count.skipped > 0) console.error(`${count.skipped} skipped`)
  console.log(`${count.passed} passed, ${count.failed} failed`)
  return count.failed > 0 ? 1 : 0
}

/** @returns why there is no PostgreSQL, or null. */
async function findServer(): Promise<string | null> {
  try {
    server = await testServer(process.env)
    console.error(`PostgreSQL from ${server.origin}`)
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

async function runTests(env: Record<string, string | undefined>): Promise<Count> {
  const report = join(folder, 'report.xml')
  const command = [process.execPath, '--no-orphans', '--no-env-file', 'test', `--timeout=${TEST_MS}`]
  const output = ['--reporter=junit', `--reporter-outfile=${report}`]
  tests = Bun.spawn([...command, ...output, ...Bun.argv.slice(2)], {
    cwd: root,
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: ALL_MS,
  })
  return counted(report, await tests.exited)
}

function counted(report: string, exitCode: number): Count {
  const text = safeRead(report)
  const total = (name: string) => Number(new RegExp(`<testsuites [^>]*\\b${name}="(\\d+)"`).exec(text)?.[1] ?? 0)
  const failures = total('failures')
  const skipped = total('skipped')
  // Something outside a test can fail, too: a file that does not load, an error after the last test.
  const failed = exitCode === 0 ? failures : Math.max(1, failures)
  return { passed: total('tests') - failures - skipped, failed, skipped }
}

function safeRead(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** A developer's own settings must not change what the tests see. */
function withoutSettings(env: Record<string, string | undefined>): Record<string, string | undefined> {
  const ours = /^(GPUHUB_|GPUHOST_|DATABASE_URL$|REDIS_URL$|STRIPE_|SMTP_URL$)/
  return Object.fromEntries(Object.entries(env).filter(([name]) => !ours.test(name)))
}

async function stop(): Promise<void> {
  tests?.kill()
  await tests?.exited
  await server?.stop()
  rmSync(folder, { recursive: true, force: true })
}
