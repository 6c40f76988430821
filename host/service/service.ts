// An agent as a service: kept by systemd for the machine, by systemd for its user, or, in containers without systemd, by
// the launcher alone.
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Env } from '../../sdk/env.ts'
import type { Home } from '../config.ts'
import { askControl } from '../daemon/control.ts'
import type { Status } from '../daemon/status.ts'
import { HostError, reason } from '../errors.ts'
import launcherText from './launch.sh' with { type: 'text' }
import systemText from './system.sh' with { type: 'text' }
import { environmentText, readEnvironment, unitText } from './unit.ts'

/** `launcher`: no systemd; whatever starts the container has to start it. */
export type Keeper = 'system' | 'user' | 'launcher'

export interface ServiceWorld {
  env: Env
  home: Home
  /** Root of every path outside the home; `/` but for tests. */
  root: string
  /** The user's own folder. */
  userFolder: string
  /** Runs `systemctl` and the like; its exit code, and what it said. */
  run: (words: readonly string[]) => Promise<{ code: number; said: string }>
}

export const SYSTEM_HOME = '/var/lib/gpuhost'
const UNIT = 'gpuhost.service'

const systemUnit = ({ root }: ServiceWorld) => join(root, 'etc/systemd/system', UNIT)
const systemEnvironment = ({ root }: ServiceWorld) => join(root, 'etc/gpuhost/environment')
const systemLauncher = ({ root }: ServiceWorld) => join(root, 'usr/local/lib/gpuhost/launch')
const systemCommand = ({ root }: ServiceWorld) => join(root, 'usr/local/bin/gpuhost')
const userUnit = ({ userFolder }: ServiceWorld) => join(userFolder, '.config/systemd/user', UNIT)
const userEnvironment = ({ home }: Pick<ServiceWorld, 'home'>) => join(home.path, 'environment')

export interface Wanted {
  /** After `gpuhost start`. */
  words: readonly string[]
  /** Null: the machine has joined a hub, or will. */
  token: string | null
  docker: boolean
}

/** Writes the service of the machine, enables it, and with a token starts it. Root only. @throws HostError */
export async function installForMachine(world: ServiceWorld, { words, token, docker }: Wanted): Promise<void> {
  write(systemLauncher(world), launcherText, 0o755)
  write(systemCommand(world), systemText, 0o755)
  if (token !== null) write(systemEnvironment(world), environmentText(secretsOf(token, words)), 0o600)
  const unit = unitText({
    ...{ system: true, docker, launcher: '/usr/local/lib/gpuhost/launch', home: SYSTEM_HOME },
    ...{ environmentFile: '/etc/gpuhost/environment', words: ['start', '--foreground', ...words] },
  })
  write(systemUnit(world), unit, 0o644)
  await done(world, ['systemctl', 'daemon-reload'])
  await done(world, ['systemctl', 'enable', UNIT])
  if (token !== null) await done(world, ['systemctl', 'restart', UNIT])
}

/** Writes the service of this user, which begins with the machine, and starts it. @throws HostError */
export async function installForUser(world: ServiceWorld, { words, token }: Wanted): Promise<void> {
  const { home } = world
  writeLauncher(home)
  if (token !== null) write(userEnvironment(world), environmentText(secretsOf(token, words)), 0o600)
  const unit = unitText({
    ...{ system: false, docker: false, launcher: launcherPath(home), home: home.path },
    ...{ environmentFile: userEnvironment(world), words: ['start', '--foreground', ...words] },
  })
  write(userUnit(world), unit, 0o600)
  // Else it would end with the last session of this user.
  await done(world, ['loginctl', 'enable-linger'])
  await done(world, ['systemctl', '--user', 'daemon-reload'])
  await done(world, ['systemctl', '--user', 'enable', UNIT])
  await done(world, ['systemctl', '--user', 'restart', UNIT])
}

/** The hub beside the token, so that it can be told when all of this is removed. */
function secretsOf(token: string, words: readonly string[]): Record<string, string> {
  const at = words.findIndex((word) => word === '--hub' || word.startsWith('--hub='))
  const hub = words[at] === '--hub' ? words[at + 1] : words[at]?.slice('--hub='.length)
  return { GPUHOST_TOKEN: token, ...(hub ? { GPUHOST_HUB: hub } : {}) }
}

/** What the service of this user is given beside its words; empty: there is none. */
export function userSecrets(home: Home): Record<string, string> {
  const path = userEnvironment({ home })
  return existsSync(path) ? readEnvironment(readFileSync(path, 'utf8')) : {}
}

/** Ends what `installForUser` began. False: there was nothing. @throws HostError */
export async function uninstallForUser(world: ServiceWorld): Promise<boolean> {
  if (!existsSync(userUnit(world))) return false
  await done(world, ['systemctl', '--user', 'disable', '--now', UNIT])
  rmSync(userUnit(world), { force: true })
  rmSync(userEnvironment(world), { force: true })
  await done(world, ['systemctl', '--user', 'daemon-reload'])
  return true
}

/** Whether a user's own services are kept here. */
export async function keepsUserServices({ run }: ServiceWorld): Promise<boolean> {
  return (
    (await run(['systemctl', '--user', 'is-system-running'])).said.trim() !== '' &&
    (await run(['systemctl', '--user', 'show-environment'])).code === 0
  )
}

export interface ServiceReport {
  /** Null: nothing keeps it. */
  keeper: Keeper | null
  /** Starts with the machine. */
  enabled: boolean
  /** What the agent does; null: none is running. */
  agent: Status['state'] | null
}

export async function serviceStatus(world: ServiceWorld): Promise<ServiceReport> {
  const running = await askControl(world.env, world.home.controlPath, 'status')
  const agent = running?.state ?? null
  const enabled = async (words: string[]) =>
    (await world.run(['systemctl', ...words, 'is-enabled', UNIT])).said.trim() === 'enabled'
  if (existsSync(systemUnit(world)) && world.home.path === join(world.root, SYSTEM_HOME))
    return { keeper: 'system', enabled: await enabled([]), agent }
  if (existsSync(userUnit(world))) return { keeper: 'user', enabled: await enabled(['--user']), agent }
  return { keeper: running && running.launcher !== null ? 'launcher' : null, enabled: false, agent }
}

export const launcherPath = (home: Home) => join(home.path, 'program', 'launch')

/** Where it is not this program's own any more, it is written anew. */
export function writeLauncher(home: Home): void {
  const path = launcherPath(home)
  if (existsSync(path) && readFileSync(path, 'utf8') === launcherText) return
  write(path, launcherText, 0o755)
}

/** Whole or not at all. @throws HostError */
function write(path: string, text: string, mode: number): void {
  try {
    makeFolder(dirname(path))
    writeFileSync(`${path}.new`, text, { mode })
    // Whatever the umask is.
    chmodSync(`${path}.new`, mode)
    renameSync(`${path}.new`, path)
  } catch (error) {
    throw new HostError(`${path} cannot be written: ${reason(error)}.`)
  }
}

/** Others may look into it, whatever the umask is. */
function makeFolder(path: string): void {
  const first = mkdirSync(path, { recursive: true })
  for (let made = path; first !== undefined && made.length >= first.length; made = dirname(made)) chmodSync(made, 0o755)
}

/** @throws HostError */
async function done({ run }: ServiceWorld, words: readonly string[]): Promise<void> {
  const { code, said } = await run(words)
  if (code !== 0)
    throw new HostError(`${words.join(' ')} failed (${code}): ${said.trim().slice(0, 300) || 'it did not say why'}.`)
}
