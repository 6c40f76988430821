// One run of `bun test`, how many tests passed and failed in it, and why they failed, once more at its end.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
/** Of what a test said before it failed. */
const MOST_LINES = 80

export interface Count {
  passed: number
  failed: number
  skipped: number
}

/** The last lines each failed test said. */
export type Complaints = string[][]

export interface Tests {
  count: Promise<Count & { complaints: Complaints }>
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
    stdio: ['ignore', 'inherit', 'pipe'],
    timeout: allMs,
  })
  const complaints = listen(child.stderr)
  return {
    count: child.exited.then(async (code) => ({ ...counted(report, code), complaints: await complaints })),
    async stop() {
      child.kill()
      await child.exited
    },
  }
}

/** Ends with what `stop` puts away, and the code a shell expects, when somebody interrupts. */
export function stopWhenInterrupted(stop: () => Promise<void>): void {
  const codes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const
  for (const [signal, code] of Object.entries(codes))
    process.once(signal, () => void stop().then(() => process.exit(code)))
}

/** A developer's own settings must not change what the tests see. */
export function withoutSettings(env: Record<string, string | undefined>): Record<string, string | undefined> {
  const ours = /^(GPUHUB_|GPUHOST_|DATABASE_URL$|REDIS_URL$|STRIPE_|SMTP_URL$)/
  return Object.fromEntries(Object.entries(env).filter(([name]) => !ours.test(name)))
}

/** Passes on what the tests say, and keeps what those said that failed. */
async function listen(stream: ReadableStream<Uint8Array>): Promise<Complaints> {
  const complaints: Complaints = []
  const decoder = new TextDecoder()
  let lines: string[] = []
  let begun = ''
  for await (const bytes of stream) {
    process.stderr.write(bytes)
    const whole = (begun + decoder.decode(bytes, { stream: true })).split('\n')
    begun = whole.pop() ?? ''
    for (const line of whole) {
      if (isVerdict(line, 'pass|skip|todo')) lines = []
      else if (lines.push(line) > MOST_LINES) lines.shift()
      if (isVerdict(line, 'fail')) complaints.push(lines.splice(0))
    }
  }
  return complaints
}

const isVerdict = (line: string, kinds: string) => new RegExp(`^\\S*\\((${kinds})\\)`).test(line)

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
