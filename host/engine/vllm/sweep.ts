// Ends what engines of this installation have left: at a start, and where the agent itself had to be killed.
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Env } from '../../../sdk/env.ts'
import { type Home, knownMachine } from '../../config.ts'
import { dockerAt } from './docker-here.ts'
import { removeContainers } from './in-container.ts'
import { MACHINE_LABEL } from './container.ts'
import { endNoted, notedMembers } from './session.ts'
import { ENGINE_USER } from './process.ts'
import { removeSharedMemory, removeSockets } from './sockets.ts'

type Variables = Readonly<Record<string, string | undefined>>

/** Where vLLM is installed: root's folder is closed to the user the engine is. `GPUHOST_ENGINE_ROOM` says otherwise. */
export function engineRoom(home: Home, variables: Variables): string {
  if (variables.GPUHOST_ENGINE_ROOM) return variables.GPUHOST_ENGINE_ROOM
  return process.getuid?.() === 0 ? '/var/lib/gpuhost-engine' : join(home.path, 'engine')
}

export async function sweepEngines(env: Env, home: Home, variables: Variables): Promise<void> {
  const room = engineRoom(home, variables)
  await Promise.all(notesIn(room).map((note) => endNoted(env, note)))
  // Weights in two places would keep their disk when they are thrown out of one.
  for (const name of existsSync(room) ? readdirSync(room) : [])
    if (/^(work|weights)-\d+$/.test(name)) rmSync(join(room, name), { recursive: true, force: true })
  const machine = knownMachine(home)
  const docker = dockerAt(env, variables)
  if (docker && machine) await removeContainers(docker, machine)
  if (machine) removeSockets(machine)
  removeSharedMemory(ENGINE_USER)
}

/** The processes of this installation's engines that run now: whoever else is on the GPU is not one of these. */
export async function engineProcesses(env: Env, home: Home, variables: Variables): Promise<Set<number>> {
  const alone = notesIn(engineRoom(home, variables)).flatMap(notedMembers)
  const machine = knownMachine(home)
  const docker = dockerAt(env, variables)
  if (!docker || !machine) return new Set(alone)
  const containers = await docker.labelled({ [MACHINE_LABEL]: machine }).catch(() => [])
  const inside = await Promise.all(containers.map((id) => docker.processes(id).catch(() => [])))
  return new Set([...alone, ...inside.flat()])
}

function notesIn(room: string): string[] {
  const names = existsSync(room) ? readdirSync(room) : []
  return names.filter((name) => /^engine-\d+\.json$/.test(name)).map((name) => join(room, name))
}
