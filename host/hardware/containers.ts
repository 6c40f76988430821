// Containers of others that have a GPU: two that share a card take its memory from each other.
import type { Env } from '../../sdk/env.ts'
import { say } from './program.ts'

interface Inspected {
  Name?: string
  Config?: { Labels?: Record<string, string> | null }
  HostConfig?: {
    Runtime?: string
    Privileged?: boolean
    DeviceRequests?: { Capabilities?: string[][] | null; Driver?: string }[] | null
    Devices?: { PathOnHost?: string }[] | null
  }
}

const MOST = 200
const DOCKER_MS = 10_000
/** On the containers this program starts itself. */
const OWN_LABEL = 'gpuhost'

/** Empty where Docker is not there, or may not be asked. */
export async function gpuContainers(env: Env, docker = 'docker'): Promise<{ name: string; privileged: boolean }[]> {
  const listed = await say(env, [docker, 'ps', '--quiet', '--no-trunc'], DOCKER_MS)
  if (!('text' in listed) || listed.code !== 0) return []
  const ids = listed.text.split('\n').filter((id) => /^[0-9a-f]{12,64}$/.test(id))
  if (ids.length === 0) return []
  const said = await say(env, [docker, 'inspect', ...ids.slice(0, MOST)], DOCKER_MS)
  return 'text' in said && said.code === 0 ? inspected(said.text) : []
}

function inspected(text: string): { name: string; privileged: boolean }[] {
  let all: Inspected[]
  try {
    all = JSON.parse(text) as Inspected[]
  } catch {
    return []
  }
  return all
    .filter(({ Config, HostConfig = {} }) => Config?.Labels?.[OWN_LABEL] === undefined && hasGpu(HostConfig))
    .map(({ Name = '?', HostConfig }) => ({
      name: Name.replace(/^\//, '').slice(0, 80),
      privileged: HostConfig?.Privileged === true,
    }))
}

function hasGpu({ Runtime, Privileged, DeviceRequests, Devices }: NonNullable<Inspected['HostConfig']>): boolean {
  const asksForGpu = (DeviceRequests ?? []).some(
    ({ Driver, Capabilities }) =>
      Driver === 'nvidia' || Driver === 'cdi' || (Capabilities ?? []).flat().includes('gpu'),
  )
  const hasDevice = (Devices ?? []).some(({ PathOnHost }) => PathOnHost?.startsWith('/dev/nvidia'))
  return Privileged === true || Runtime === 'nvidia' || asksForGpu || hasDevice
}
