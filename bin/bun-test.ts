// One run of `bun test`, and how many tests passed and failed in it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')

export interface Count {
  passed: number
  failed: number
  skipped: number
}

export interface Tests {
  count: Promise<Count>
  stop(): Promise<void>
}

interface Options {
  env: Record<string, string | undefined>
  /** Of one test, and of all together. */
  eachMs: number
  allMs: number
  /** A file to count by. */
  report: string
}

/** Runs the tests that `words` name as they would for `bun test`; what it says goes on. */
export function startTests(words: readonly string[], { env, eachMs, allMs, report }: Options): Tests {
  const command = [process.execPath, '--no-orphans', '--no-env-file', 'test', `--timeout=${eachMs}`]
  const output = ['--reporter=junit', `--reporter-outfile=${report}`]
  const child = Bun.spawn([...command, ...output, ...words], {
    cwd: root,
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: allMs,
  })
  return {
    count: child.exited.then((code) => counted(report, code)),
    async stop() {
      child.kill()
      await child.exited
    },
  }
}

/** A developer's own settings must not change what the tests see. */
export function withoutSettings(env: Record<string, string | undefined>): Record<string, string | undefined> {
  const ours = /^(GPUHUB_|GPUHOST_|DATABASE_URL$|REDIS_URL$|STRIPE_|SMTP_URL$)/
  return Object.fromEntries(Object.entries(env).filter(([name]) => !ours.test(name)))
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
