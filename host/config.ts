// Where the agent keeps its things, and who it is. Read once, handed down as a value.
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { type Env, newId } from '../sdk/env.ts'
import { HostError, reason } from './errors.ts'

export interface Home {
  path: string
  /** The unix socket `status` and `stop` speak to. */
  controlPath: string
  lockPath: string
  pidPath: string
  logPath: string
  /** There while the owner wants no agent; a launcher's start takes it away. */
  stoppingPath: string
}

/** Longest path a unix socket can have on every system we run on, less its closing zero. */
const MAX_SOCKET_PATH = 103

/** Names the files of `GPUHOST_HOME` (default `~/.gpuhost`); touches nothing. @throws HostError when it is too long. */
export function homeAt(variables: Readonly<Record<string, string | undefined>>): Home {
  const path = resolve(variables.GPUHOST_HOME || join(variables.HOME || homedir(), '.gpuhost'))
  const controlPath = join(path, 'control.sock')
  if (Buffer.byteLength(controlPath) > MAX_SOCKET_PATH)
    throw new HostError(`${path} is too long a path for a control socket. Set GPUHOST_HOME to a shorter one.`, 2)
  return {
    path,
    controlPath,
    lockPath: join(path, 'lock'),
    pidPath: join(path, 'pid'),
    logPath: join(path, 'gpuhost.log'),
    stoppingPath: join(path, 'stopping'),
  }
}

/** Makes the folder, for its owner only. */
export function makeHome(home: Home): void {
  try {
    mkdirSync(home.path, { recursive: true, mode: 0o700 })
    chmodSync(home.path, 0o700)
  } catch (error) {
    throw new HostError(`${home.path} cannot be used: ${reason(error)}. Set GPUHOST_HOME to a folder you own.`)
  }
}

const MACHINE_ID = /^machine_[0-9a-z]{26}$/

/** Null: this installation has never had one. */
export function knownMachine(home: Home): string | null {
  try {
    const id = readFileSync(join(home.path, 'machine'), 'utf8').trim()
    return MACHINE_ID.test(id) ? id : null
  } catch {
    return null
  }
}

/** This installation's identity, made once. Two agents with one token and one machine id are one host to a hub. */
export function machineId(home: Home, env: Env): string {
  const path = join(home.path, 'machine')
  try {
    writeFileSync(path, newId(env, 'machine'), { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST')
      throw new HostError(`${path} cannot be written: ${reason(error)}.`)
  }
  const id = readFileSync(path, 'utf8').trim()
  if (!MACHINE_ID.test(id))
    throw new HostError(`${path} is damaged. Remove it; the hub will then see this machine as a new host.`)
  return id
}
