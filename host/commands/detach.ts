// `gpuhost start`: starts the agent in the background and says how that went.
import { closeSync, openSync, readFileSync, statSync } from 'node:fs'
import { type Env, sleep } from '../../sdk/env.ts'
import { type Home, makeHome } from '../config.ts'
import { askControl } from '../daemon/control.ts'
import type { Status } from '../daemon/status.ts'
import { HostError } from '../errors.ts'

export interface Background {
  env: Env
  home: Home
  /** This program with `start --foreground …`; the token is in `variables`, never here. */
  command: string[]
  variables: Record<string, string | undefined>
  /** `command` starts the agent again when it fails; an agent that cannot begin is left to that, or given up. */
  ifItFails: 'give up' | 'keep trying'
  /** Called with what is being waited for. */
  progress: (text: string) => void
}

/** Once the engine works, the hub is waited for this long; the agent keeps trying after that. */
const LINK_MS = 30_000
const LOOK_MS = 150
/** From an agent's last word to its end. */
const ENDING_MS = 3_000

/** Resolves when the agent serves. @throws HostError when it ended, or is not linked yet */
export async function startInBackground(background: Background): Promise<Status> {
  const { env, home, progress } = background
  makeHome(home)
  const running = await askControl(env, home.controlPath, 'status')
  if (running)
    throw new HostError(
      `gpuhost is already running (process ${running.pid}, ${running.state}). ` +
        'See it with gpuhost status, end it with gpuhost stop.',
    )
  const logStart = statSync(home.logPath, { throwIfNoEntry: false })?.size ?? 0
  const child = spawn(background)
  let linkingSince: number | undefined
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) throw failure(child.exitCode, home, logStart)
    const status = await askControl(env, home.controlPath, 'status')
    if (status && (status.pid === child.pid || status.launcher === child.pid)) {
      if (status.state === 'serving' || status.state === 'paused') return status
      progress(status.state === 'starting' ? `the engine: ${status.starting ?? 'starting'}` : 'waiting for the hub')
      if (status.state === 'linking') linkingSince ??= env.mono()
      if (linkingSince !== undefined && env.mono() - linkingSince > LINK_MS) throw notLinked(status)
    }
    if (!status && errorSince(home, logStart)) await failed(background, child, logStart)
    await sleep(env, LOOK_MS)
  }
}

function spawn({ command, variables, home }: Background) {
  // Logs go to the file by the agent's own hand; this is for what a crash would say.
  const errors = openSync(home.logPath, 'a', 0o600)
  try {
    const child = Bun.spawn(command, {
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: errors,
      env: { ...variables, GPUHOST_HOME: home.path },
      cwd: home.path,
      detached: true,
    })
    child.unref()
    return child
  } finally {
    closeSync(errors)
  }
}

/** The agent has said why it ends. @throws HostError */
async function failed({ env, home, ifItFails }: Background, child: Bun.Subprocess, logStart: number): Promise<void> {
  await Promise.race([child.exited, sleep(env, ENDING_MS)])
  if (child.exitCode !== null || child.signalCode !== null) throw failure(child.exitCode, home, logStart)
  // It is about to be started again.
  if (ifItFails === 'keep trying')
    throw new HostError(`${errorSince(home, logStart)} It is tried again, until gpuhost stop.`)
  child.kill('SIGTERM')
  await child.exited
  throw failure(1, home, logStart)
}

function errorSince(home: Home, logStart: number): string | undefined {
  return lastError(readFileSync(home.logPath).subarray(logStart).toString('utf8'))
}

function failure(exitCode: number | null, home: Home, logStart: number): HostError {
  const why = errorSince(home, logStart)
  return new HostError(
    why ?? `The agent ended at once. Its log: ${home.logPath}`,
    exitCode === 2 || exitCode === 3 ? exitCode : 1,
  )
}

function lastError(log: string): string | undefined {
  return log
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line): { level?: string; message?: string } => JSON.parse(line))
    .findLast(({ level }) => level === 'error')?.message
}

function notLinked({ hubs, pid }: Status): HostError {
  const [hub] = hubs
  const why = hub && 'why' in hub ? `: ${hub.why.replace(/\.$/, '')}` : ''
  return new HostError(
    `The agent runs (process ${pid}) but is not linked to ${hub?.address ?? 'its hub'} yet${why}. ` +
      'It keeps trying; gpuhost status shows it, gpuhost stop ends it.',
  )
}
