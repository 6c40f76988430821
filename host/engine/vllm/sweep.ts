// Ends what engines of this installation have left: at a start, and where the agent itself had to be killed.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Env } from '../../../sdk/env.ts'
import type { Home } from '../../config.ts'
import { dockerAt } from './docker-here.ts'
import { removeContainers } from './in-container.ts'
import { killNoted } from './session.ts'

type Variables = Readonly<Record<string, string | undefined>>

/** Where vLLM is installed: root's folder is closed to the user the engine is. `GPUHOST_ENGINE_ROOM` says otherwise. */
export function engineRoom(home: Home, variables: Variables): string {
  if (variables.GPUHOST_ENGINE_ROOM) return variables.GPUHOST_ENGINE_ROOM
  return process.getuid?.() === 0 ? '/var/lib/gpuhost-engine' : join(home.path, 'engine')
}

export async function sweepEngines(env: Env, home: Home, variables: Variables): Promise<void> {
  const room = engineRoom(home, variables)
  const notes = existsSync(room) ? readdirSync(room).filter((name) => /^engine-\d+\.json$/.test(name)) : []
  for (const name of notes) killNoted(join(room, name))
  const machine = machineOf(home)
  const docker = dockerAt(env, variables)
  if (docker && machine) await removeContainers(docker, machine)
}

function machineOf(home: Home): string | null {
  try {
    return readFileSync(join(home.path, 'machine'), 'utf8').trim() || null
  } catch {
    return null
  }
}
