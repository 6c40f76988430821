// Containers of others: two that share a card take its memory from each other. What is beside it harms nobody, but an
// owner may want to offer a machine that does nothing else.
import type { Env } from '../../sdk/env.ts'
import { HostError } from '../errors.ts'
import { say } from './program.ts'

interface Inspected {
  Name?: string
  Config?: { Labels?: Record<string, string> | null; Env?: string[] | null }
  HostConfig?: {
    Runtime?: string
    Privileged?: boolean
    DeviceRequests?: { Capabilities?: string[][] | null; Driver?: string; DeviceIDs?: string[] | null }[] | null
    Devices?: { PathOnHost?: string }[] | null
  }
}

const MOST = 200
const DOCKER_MS = 10_000
/** On the containers this program starts itself. */
const OWN_LABEL = 'gpuhost'

export interface OtherContainer {
  name: string
  /** It has every device, used or not. */
  privileged: boolean
  /** What it asked for; `some`: it does not say which. */
  gpus: 'none' | 'some' | readonly string[]
}

/** Those that have a GPU, or could. */
export async function gpuContainers(env: Env, docker = 'docker'): Promise<{ name: string; privileged: boolean }[]> {
  const all = await otherContainers(env, docker)
  return all
    .filter(({ privileged, gpus }) => privileged || gpus !== 'none')
    .map(({ name, privileged }) => ({ name, privileged }))
}

/** All that run and are not ours. Empty where Docker is not there, or may not be asked. */
export async function otherContainers(env: Env, docker = 'docker'): Promise<OtherContainer[]> {
  const listed = await say(env, [docker, 'ps', '--quiet', '--no-trunc'], DOCKER_MS)
  if (!('text' in listed) || listed.code !== 0) return []
  const ids = listed.text.split('\n').filter((id) => /^[0-9a-f]{12,64}$/.test(id))
  if (ids.length === 0) return []
  const said = await say(env, [docker, 'inspect', ...ids.slice(0, MOST)], DOCKER_MS)
  return 'text' in said && said.code === 0 ? inspected(said.text) : []
}

export interface Offered {
  /** UUIDs; null: all cards of the machine. */
  gpus: ReadonlySet<string> | null
  /** No other container may run at all. */
  strict: boolean
}

/** @throws HostError naming those that stand in the way */
export function checkContainers(containers: readonly OtherContainer[], { gpus: offered, strict }: Offered): void {
  const ours = (gpu: string) => offered === null || offered.has(gpu) || !gpu.startsWith('GPU-')
  const inTheWay = containers.filter(({ gpus }) => strict || gpus === 'some' || (gpus !== 'none' && gpus.some(ours)))
  if (inTheWay.length === 0) return
  const names = inTheWay.slice(0, 5).map(({ name }) => name)
  const why = strict
    ? 'in strict mode no other container may run'
    : 'two that share a GPU take its memory from each other'
  throw new HostError(`Other containers are in the way (${names.join(', ')}): ${why}. docker stop ${names.join(' ')}`)
}

function inspected(text: string): OtherContainer[] {
  let all: Inspected[]
  try {
    all = JSON.parse(text) as Inspected[]
  } catch {
    return []
  }
  return all
    .filter(({ Config }) => Config?.Labels?.[OWN_LABEL] === undefined)
    .map((container) => ({
      name: (container.Name ?? '?').replace(/^\//, '').slice(0, 80),
      privileged: container.HostConfig?.Privileged === true,
      gpus: gpusOf(container),
    }))
}

function gpusOf({ Config, HostConfig = {} }: Inspected): OtherContainer['gpus'] {
  const { Runtime, DeviceRequests, Devices } = HostConfig
  const requests = (DeviceRequests ?? []).filter(
    ({ Driver, Capabilities }) =>
      Driver === 'nvidia' || Driver === 'cdi' || (Capabilities ?? []).flat().includes('gpu'),
  )
  const named = requests.flatMap(({ DeviceIDs }) => DeviceIDs ?? []).map((id) => id.replace(/^nvidia\.com\/gpu=/, ''))
  if (requests.length > 0) return requests.every(({ DeviceIDs }) => DeviceIDs && DeviceIDs.length > 0) ? named : 'some'
  if ((Devices ?? []).some(({ PathOnHost }) => PathOnHost?.startsWith('/dev/nvidia'))) return 'some'
  if (Runtime !== 'nvidia') return 'none'
  const visible = (Config?.Env ?? []).find((pair) => pair.startsWith('NVIDIA_VISIBLE_DEVICES='))?.split('=')[1]
  if (visible === 'none' || visible === 'void' || visible === '') return 'none'
  return visible === undefined || visible === 'all' ? 'some' : visible.split(',')
}
