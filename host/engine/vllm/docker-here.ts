// Whether this machine can run an engine in a container that has its GPU.
import { existsSync } from 'node:fs'
import type { Env } from '../../../sdk/env.ts'
import { reason } from '../../errors.ts'
import { say } from '../../hardware/program.ts'
import { Docker } from './docker.ts'

export type DockerHere = { docker: Docker; gpusBy: 'nvidia' | 'cdi' } | { why: string }

const CDI = ['/etc/cdi/nvidia.yaml', '/var/run/cdi/nvidia.yaml']
const ASK_MS = 10_000

/** Where Docker listens, by its own variable. Only a socket of this machine is used. */
export function dockerAt(env: Env, variables: Readonly<Record<string, string | undefined>>): Docker | null {
  const named = variables.DOCKER_HOST
  if (named && !named.startsWith('unix://')) return null
  const socket = named ? named.slice('unix://'.length) : '/var/run/docker.sock'
  return existsSync(socket) ? new Docker(env, socket) : null
}

export async function dockerHere(
  env: Env,
  variables: Readonly<Record<string, string | undefined>>,
): Promise<DockerHere> {
  const docker = dockerAt(env, variables)
  if (!docker) return { why: 'Docker is not here' }
  try {
    const { runtimes } = await docker.info()
    const toolkit = await say(env, ['nvidia-ctk', '--version'], ASK_MS)
    const trouble = 'text' in toolkit ? toolkitTrouble(toolkit.text) : null
    if (trouble) return { why: trouble }
    if (runtimes.includes('nvidia') || Bun.which('nvidia-container-runtime-hook')) return { docker, gpusBy: 'nvidia' }
    if (CDI.some((path) => existsSync(path))) return { docker, gpusBy: 'cdi' }
    return {
      why: 'Docker cannot give a container the GPU: install the NVIDIA container toolkit, then nvidia-ctk runtime configure --runtime=docker, and restart Docker',
    }
  } catch (error) {
    return { why: reason(error).replace(/\.$/, '') }
  }
}

/** Older ones let an image out of its container (CVE-2025-23266). */
const SAFE_TOOLKIT = [1, 17, 8] as const

/** What is wrong with the toolkit that says this of itself; null: nothing. */
export function toolkitTrouble(said: string): string | null {
  const found = /version (\d+)\.(\d+)\.(\d+)/.exec(said)
  if (!found) return null
  const version = found.slice(1).map(Number)
  const at = version.findIndex((part, index) => part !== SAFE_TOOLKIT[index])
  if (at < 0 || (version[at] ?? 0) > (SAFE_TOOLKIT[at] ?? 0)) return null
  return `the NVIDIA container toolkit ${version.join('.')} has a known hole; ${SAFE_TOOLKIT.join('.')} or newer is needed`
}
