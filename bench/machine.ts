// The machine a number comes from, and programs pinned to one of its cores.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'

/** What is measured runs on this core alone … */
export const SUT_CORE = 0
/** … and everything else, this program included, on that one. */
export const LOAD_CORE = 1

export interface Machine {
  cpu: string
  cores: number
  memoryGib: number
  kernel: string
  bun: string
  commit: string
}

export function describeMachine(): Machine {
  const commit = Bun.spawnSync(['git', 'describe', '--always', '--dirty'], { cwd: import.meta.dirname })
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    bun: Bun.version,
    commit: commit.stdout.toString().trim() || 'unknown',
  }
}

export interface Program {
  pid: number
  process: Bun.Subprocess<'pipe', 'pipe', 'inherit'>
  /** The next line it prints. @throws when it ends instead */
  line(): Promise<string>
  /** Ends it and waits for that. */
  end(signal?: NodeJS.Signals): Promise<void>
}

interface Start {
  core: number
  env?: Record<string, string>
  cwd?: string
  /** Where its stderr goes; the bench's own otherwise. */
  log?: string
}

const running = new Set<Program>()
/** This program and all that it starts go before everybody else on the machine. For a short while only. */
export function goFirst(): void {
  Bun.spawnSync(['chrt', '--all-tasks', '--rr', '--pid', '1', String(process.pid)], { stderr: 'inherit' })
}

/** Ends whatever still runs; the bench's last act, however it ends. */
export async function endAll(): Promise<void> {
  await Promise.all([...running].map((program) => program.end('SIGKILL')))
}

/** Starts a program on one core, with room for many sockets. */
export function startProgram(words: readonly string[], { core, env, cwd, log }: Start): Program {
  const pinned = ['prlimit', `--nofile=${files()}:${files()}`, 'taskset', '-c', String(core), ...words]
  const child = Bun.spawn(pinned, {
    ...(env ? { env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...env } } : {}),
    ...(cwd ? { cwd } : {}),
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: log ? Bun.file(log) : 'inherit',
  })
  const lines = linesOf(child.stdout)
  const program: Program = {
    pid: child.pid,
    process: child as Program['process'],
    async line() {
      const next = await lines.next()
      if (next.done) throw new Error(`${words[0]} ended${log ? `: ${tail(log)}` : ''}`)
      return next.value
    },
    async end(signal = 'SIGTERM') {
      // Workers of a program that is killed would stay.
      const workers = child.exitCode === null ? withChildren(child.pid).slice(1) : []
      child.kill(signal)
      await child.exited
      for (const pid of workers) if (signal === 'SIGKILL') tryToKill(pid)
      running.delete(program)
    },
  }
  running.add(program)
  return program
}

function tryToKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

/** Resident memory of processes, bytes. */
export function residentBytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const [, kib = '0'] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    return sum + Number(kib) * 1024
  }, 0)
}

/** Nanoseconds all threads of processes ran. */
export function cpuNs(pids: readonly number[]): number {
  let sum = 0
  for (const pid of pids)
    for (const task of readdirSync(`/proc/${pid}/task`))
      sum += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0])
  return sum
}

/** A process and all that it started, workers of workers included. */
export function withChildren(pid: number): number[] {
  const file = `/proc/${pid}/task/${pid}/children`
  // It may just have ended.
  const children = existsSync(file) ? readFileSync(file, 'utf8').trim() : ''
  return [pid, ...(children ? children.split(' ').flatMap((child) => withChildren(Number(child))) : [])]
}

/** As many open files as a process here may have. */
function files(): number {
  const [, , hard = '1024'] = /Max open files\s+(\S+)\s+(\S+)/.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
  return Number(hard)
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const bytes of stream) {
    text += decoder.decode(bytes, { stream: true })
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n')) {
      yield text.slice(0, end)
      text = text.slice(end + 1)
    }
  }
}

function tail(log: string): string {
  return readFileSync(log, 'utf8').slice(-2_000)
}
