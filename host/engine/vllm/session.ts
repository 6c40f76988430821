// Processes of an engine that belong together, found by the session they share: some change their group, their name and
// what they were started with, and vLLM's do.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type Env, sleep } from '../../../sdk/env.ts'

/** What is noted of an engine's first process, so that it is found again after this program has been killed. */
interface Leader {
  pid: number
  /** In clock ticks since the machine started; with the next two lines, no other process has the same. */
  startedAt: string
  boot: string
}

export function note(path: string, pid: number): void {
  const leader: Leader = { pid, startedAt: statOf(pid)?.startedAt ?? '', boot: bootId() }
  writeFileSync(path, JSON.stringify(leader), { mode: 0o600 })
}

/** Ends what an earlier run has left, as `note` has it. */
export async function endNoted(env: Env, path: string): Promise<void> {
  const leader = notedLeader(path)
  if (leader !== null) await endSession(env, leader)
  rmSync(path, { force: true })
}

/** Those of the session noted there. */
export function notedMembers(path: string): number[] {
  const leader = notedLeader(path)
  return leader === null ? [] : membersOf(leader)
}

function notedLeader(path: string): number | null {
  const leader = noted(path)
  if (!leader || leader.boot !== bootId()) return null
  const now = statOf(leader.pid)
  // Another process that has its number now is none of ours.
  return !now || now.startedAt === leader.startedAt ? leader.pid : null
}

/** A process in the driver dies only when the driver lets it. */
const END_MS = 5_000
const LOOK_MS = 20

/** Resolves when nothing of the session is left to hold the GPU, or nothing can be done about it. */
export async function endSession(env: Env, leader: number): Promise<void> {
  const until = env.mono() + END_MS
  while (killSession(leader) > 0 && env.mono() < until) await sleep(env, LOOK_MS)
}

/** Kills every process of the session that `leader` began. @returns how many there were */
export function killSession(leader: number): number {
  const members = membersOf(leader)
  for (const pid of members) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // Gone already.
    }
  }
  return members.length
}

/** Those that still run; what has ended and waits for its parent holds nothing. */
export function membersOf(leader: number): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.map(Number).filter((pid) => {
    const stat = statOf(pid)
    return stat?.session === leader && stat.state !== 'Z' && stat.state !== 'X'
  })
}

function noted(path: string): Leader | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Leader
  } catch {
    return undefined
  }
}

function statOf(pid: number): { state: string; session: number; startedAt: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name, in brackets, may have blanks and brackets itself.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0] ?? '', session: Number(fields[3]), startedAt: fields[19] ?? '' }
  } catch {
    return undefined
  }
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}
