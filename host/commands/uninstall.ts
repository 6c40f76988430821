// `gpuhost uninstall`: stops, and leaves nothing of what was installed for this user.
import { existsSync, lstatSync, readlinkSync, rmdirSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { HostError } from '../errors.ts'
import { type ServiceWorld, uninstallForUser } from '../service/service.ts'
import { stop, type StopWorld } from './stop.ts'

export interface Uninstalled {
  removed: string[]
}

/** Everything that belongs to this installation, weights included; `engine`: where vLLM is installed. @throws HostError */
export async function uninstall(world: ServiceWorld & StopWorld & { engine: string }): Promise<Uninstalled> {
  const { home, userFolder, engine } = world
  checkOurs('GPUHOST_HOME', home.path, userFolder)
  checkOurs('GPUHOST_ENGINE_ROOM', engine, userFolder)
  const removed = (await uninstallForUser(world)) ? ['its service'] : []
  await stop(world, 0)
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
  return { removed: [...removed, home.path] }
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
