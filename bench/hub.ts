// The hub under measurement: the compiled binary on core 0 with everything on, and fake hosts for it on the other core.
import { Database } from 'bun:sqlite'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { LOAD_CORE, type Program, startProgram, SUT_CORE } from './machine.ts'
import type { Programs } from './native.ts'
import type { Target } from './load.ts'
import { MODEL, SLOTS, type World } from './world.ts'

const root = join(import.meta.dirname, '..')
const READY_MS = 60_000

export interface HubOptions {
  name: string
  hosts: number
  /** Models each host serves. */
  models?: string[]
  /** Requests one host's engine works on at a time; more wait in it. */
  slots?: number
  /** On top of, or instead of, the bench's own. */
  settings?: Record<string, string>
  /** Other than the compiled binary: the words that start it, told `--port` and the folder by environment. */
  words?: readonly string[]
  /** Where hosts dial instead, when something stands between. */
  hostsDial?: { port: number }
}

export interface Rows {
  completed: number
  cancelled: number
  failed: number
  lost: number
  /** Of completed requests. */
  tokens: number
}

export interface HostStats {
  asks: number
  answers: number
  cancels: number
  cut: number
  dataFrames: number
  messages: number
  hosts: number
  lost: number
  cpuNs: number
  cancelDelay: { count: number; p50: number; p99: number; max: number }
}

export interface HubUnderTest extends Target {
  data: string
  /** Rows of requests that ended since the last call. */
  newRows(): Rows
  addHosts(count: number): Promise<void>
  /** Since the last call, of all hosts. */
  hostStats(): Promise<HostStats>
  stop(): Promise<void>
}

/** Limits that would otherwise be what is measured. */
const settings = {
  GPUHUB_KEY_CONCURRENCY: '20000',
  GPUHUB_MAX_RUNNING: '20000',
  GPUHUB_LOG_JSON: '1',
  GPUHUB_ALLOW_SIMULATED: '1',
}

export async function startHub(programs: Programs, world: World, options: HubOptions): Promise<HubUnderTest> {
  const { name, hosts, models = [MODEL], slots = 256, words = [join(root, 'dist', 'gpuhub'), 'serve'] } = options
  const data = world.dataFolder(name)
  const port = await freePort()
  const hub = startProgram(words, {
    core: SUT_CORE,
    // From source, Bun looks for the settings of JSX where it is started.
    cwd: options.words ? root : data,
    env: { ...settings, ...options.settings, GPUHUB_DATA: data, GPUHUB_PORT: String(port) },
    log: join(data, 'hub.log'),
  })
  await ready(hub, `http://127.0.0.1:${port}/readyz`)
  const fleet: Program[] = []
  let machines = 0
  const addHosts = async (count: number) => {
    const serving = models.map((model) => ({
      model,
      engine: { name: 'vllm', version: '0.11.0' },
      contextTokens: 32_768,
      slots,
      tokenIds: true,
    }))
    const given = {
      port: options.hostsDial?.port ?? port,
      hosts: count,
      serving: JSON.stringify(serving),
      'machine-base': machines,
      'slots-each': slots,
      tokens: world.tokens,
      words: world.words,
      board: world.board,
      slots: SLOTS,
    }
    machines += count
    const flags = Object.entries(given).flatMap(([flag, value]) => [`--${flag}`, String(value)])
    const program = startProgram([programs.hosts, ...flags], { core: LOAD_CORE })
    fleet.push(program)
    if ((await program.line()) !== 'ready') throw new Error('the fake hosts did not get ready')
  }
  if (hosts > 0) await addHosts(hosts)
  let seenRows = nothing
  return {
    data,
    port,
    pids: [hub.pid],
    addHosts,
    newRows() {
      const now = rowsOf(join(data, 'hub.db'))
      const fresh = minus(now, seenRows)
      seenRows = now
      return fresh
    },
    async hostStats() {
      const all = await Promise.all(
        fleet.map(async (program) => {
          void program.process.stdin.write('stats\n')
          void program.process.stdin.flush()
          return JSON.parse(await program.line()) as HostStats
        }),
      )
      return all.reduce(plus)
    },
    async stop() {
      await Promise.all(fleet.map((program) => program.end()))
      await hub.end('SIGKILL')
    },
  }
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Waits until anything answers at `url`. @throws when the program ends instead, or takes too long */
export async function ready(program: Program, url: string, withinMs = READY_MS): Promise<void> {
  const until = performance.now() + withinMs
  while (performance.now() < until) {
    if (await fetch(url).catch(() => null)) return
    if (program.process.exitCode !== null) await program.line()
    await Bun.sleep(50)
  }
  throw new Error(`nothing answers at ${url}`)
}

const nothing: Rows = { completed: 0, cancelled: 0, failed: 0, lost: 0, tokens: 0 }

function rowsOf(file: string): Rows {
  const db = new Database(file, { readonly: true })
  try {
    const rows = db
      .query('select state, count(*) as count, sum(completion_tokens) as tokens from requests group by state')
      .all() as { state: keyof Rows; count: number; tokens: number }[]
    const sum = { ...nothing }
    for (const { state, count, tokens } of rows) {
      sum[state] = count
      if (state === 'completed') sum.tokens = tokens
    }
    return sum
  } finally {
    db.close()
  }
}

function minus(a: Rows, b: Rows): Rows {
  return {
    completed: a.completed - b.completed,
    cancelled: a.cancelled - b.cancelled,
    failed: a.failed - b.failed,
    lost: a.lost - b.lost,
    tokens: a.tokens - b.tokens,
  }
}

function plus(a: HostStats, b: HostStats): HostStats {
  return {
    asks: a.asks + b.asks,
    answers: a.answers + b.answers,
    cancels: a.cancels + b.cancels,
    cut: a.cut + b.cut,
    dataFrames: a.dataFrames + b.dataFrames,
    messages: a.messages + b.messages,
    hosts: a.hosts + b.hosts,
    lost: a.lost + b.lost,
    cpuNs: a.cpuNs + b.cpuNs,
    cancelDelay: a.cancelDelay.max > b.cancelDelay.max ? a.cancelDelay : b.cancelDelay,
  }
}
