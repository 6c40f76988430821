// `bun run test [PATTERN…]`: every test, on both databases, with the programs as they are shipped.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildPrograms } from './build.ts'
import { startTests, stopWhenInterrupted, type Tests, withoutSettings } from './bun-test.ts'
import { type TestServer, testServer } from './postgres.ts'

const root = join(import.meta.dirname, '..')
const TEST_MS = 60_000
const ALL_MS = 30 * 60_000
const MOST_COMPLAINTS = 10

const folder = mkdtempSync(join(tmpdir(), 'gpuhub-run-'))
let server: TestServer | undefined
let tests: Tests | undefined

stopWhenInterrupted(stop)

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
  tests = startTests(Bun.argv.slice(2), {
    env: { ...withoutSettings(process.env), TEST_DATABASE_URL: server?.url, GPUHUB_DIST: dist },
    eachMs: TEST_MS,
    allMs: ALL_MS,
    report: join(folder, 'report.xml'),
  })
  const count = await tests.count
  // After thousands of lines, and where a log is cut.
  for (const lines of count.complaints.slice(0, MOST_COMPLAINTS)) console.error(`\n${lines.join('\n')}`)
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

async function stop(): Promise<void> {
  await tests?.stop()
  await server?.stop()
  rmSync(folder, { recursive: true, force: true })
}
