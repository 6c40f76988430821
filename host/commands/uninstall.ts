// `gpuhost uninstall`: stops, and leaves nothing of what was installed for this user.
import { existsSync, lstatSync, readlinkSync, rmdirSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { type Env, sleep } from '../../sdk/env.ts'
import { HostError, reason } from '../errors.ts'
import { type ServiceWorld, uninstallForUser } from '../service/service.ts'
import { stop, type StopWorld } from './stop.ts'

export interface Uninstalled {
  removed: string[]
  /** The hub it was joined to, and whether that knows; null: none. */
  hub: { address: string; told: boolean; why: string | null } | null
}

/** How the hub is told; null: this machine has joined none. */
export type Farewell = { address: string; depart: () => Promise<unknown> } | null

/** A hub that does not answer keeps nothing here from going. */
const FAREWELL_MS = 5_000

/** Everything that belongs to this installation, weights included; `engine`: where vLLM is installed. @throws HostError */
export async function uninstall(
  world: ServiceWorld & StopWorld & { engine: string; farewell: Farewell },
): Promise<Uninstalled> {
  const { home, userFolder, engine } = world
  checkOurs('GPUHOST_HOME', home.path, userFolder)
  checkOurs('GPUHOST_ENGINE_ROOM', engine, userFolder)
  const removed = (await uninstallForUser(world)) ? ['its service'] : []
  await stop(world, 0)
  const hub = await farewell(world)
  const link = join(userFolder, '.local/bin/gpuhost')
  if (leadsInto(link, home.path)) {
    rmSync(link)
    removed.push(link)
    dropEmpty(join(userFolder, '.local/bin'), join(userFolder, '.local'))
  }
  if (existsSync(engine) && !resolve(engine).startsWith(`${resolve(home.path)}/`)) {
    rmSync(engine, { recursive: true })
    removed.push(engine)
  }
  rmSync(home.path, { recursive: true, force: true })
  return { removed: [...removed, home.path], hub }
}

/** Tells the hub that this machine has left. Never fails, and takes five seconds at most. */
export async function farewell({ env, farewell: to }: { env: Env; farewell: Farewell }): Promise<Uninstalled['hub']> {
  if (to === null) return null
  const over = new AbortController()
  const late = sleep(env, FAREWELL_MS, over.signal).then(() => new Error('it does not answer'))
  const said = await Promise.race([
    to.depart().then(
      () => null,
      (error: unknown) => error,
    ),
    late,
  ])
  over.abort()
  return { address: to.address, told: said === null, why: said === null ? null : reason(said) }
}

/** A setting that names somebody's whole home would be a costly mistake. @throws HostError */
function checkOurs(setting: string, path: string, userFolder: string): void {
  const folders = ['/', '/root', '/home', '/var', '/var/lib', '/tmp', homedir(), userFolder].map((each) =>
    resolve(each),
  )
  if (folders.includes(resolve(path)))
    throw new HostError(`${setting} is ${path}, which holds more than gpuhost. Remove what is gpuhost’s by hand.`)
}

/** Folders that install.sh may have made, if nobody else has put anything in them. */
function dropEmpty(...folders: string[]): void {
  try {
    for (const folder of folders) rmdirSync(folder)
  } catch {
    // They hold other things.
  }
}

function leadsInto(link: string, folder: string): boolean {
  const found = lstatSync(link, { throwIfNoEntry: false })
  return found?.isSymbolicLink() === true && readlinkSync(link).startsWith(`${folder}/`)
}
