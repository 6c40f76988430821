// The engines that this program runs itself: vLLM, one on each group of cards, in containers or as processes.
import { basename, dirname } from 'node:path'
import type { Env } from '../../../sdk/env.ts'
import type { Choice } from '../../choice.ts'
import { HostError } from '../../errors.ts'
import type { Card } from '../../hardware/card.ts'
import { askDriver, type DriverAccess } from '../../hardware/driver.ts'
import type { Survey } from '../../hardware/survey.ts'
import type { Log } from '../../log.ts'
import type { Release } from '../../lock.ts'
import { Shelf } from '../../weights/shelf.ts'
import type { Engine } from '../engine.ts'
import { SOCKET_NAME, SOCKETS_INSIDE, WEIGHTS_INSIDE } from './container.ts'
import type { DockerHere } from './docker-here.ts'
import { flagsFor } from './flags.ts'
import { inContainer } from './in-container.ts'
import { managedEngine } from './managed.ts'
import type { Step } from './phase.ts'
import { asProcess, ENGINE_USER } from './process.ts'
import type { Runner } from './runner.ts'
import { severalEngines } from './several.ts'
import { configIn } from './shape.ts'
import { removeSharedMemory } from './sockets.ts'
import { bytesIn } from './weights.ts'

export interface VllmOptions {
  env: Env
  log: Log
  /** Id of this installation. */
  machine: string
  choice: Choice & { weightsFolder: string }
  found: Pick<Survey, 'memory' | 'cpu'>
  /** Cards of each engine. */
  groups: readonly (readonly Card[])[]
  access: DriverAccess
  how:
    | { container: Exclude<DockerHere, { why: string }>; image: string; count?: ((bytes: number) => void) | undefined }
    | { process: ProcessHow }
  /** Ends what earlier runs have left. */
  sweep: () => Promise<void>
  /** Requests offered to be taken at a time, where that has been measured. */
  mostSlots?: number
}

export interface ProcessHow {
  room: string
  install: (tell: (step: Step) => void, signal: AbortSignal) => Promise<readonly string[]>
}

/** Of the machine's memory; the rest is its owner's. */
const SHARE_OF_MEMORY = 0.8

/** @throws HostError */
export function vllmEngine(options: VllmOptions): Engine {
  const { env, choice, groups } = options
  const engines = groups.map((cards, at) => engineOn(options, cards, at))
  const [first, ...others] = engines
  if (!first) throw new HostError('No GPU was chosen. Run gpuhost setup again.')
  const { weightsFolder } = choice
  const shelf = new Shelf(env, dirname(weightsFolder))
  let release: Release | undefined
  return severalEngines([first, ...others], {
    async before() {
      release ??= shelf.use(basename(weightsFolder))
      await options.sweep()
    },
    after() {
      release?.()
      removeSharedMemory(ENGINE_USER)
    },
    mostSlots: options.mostSlots,
  })
}

function engineOn(options: VllmOptions, cards: readonly Card[], engine: number): Engine {
  const { env, log, choice, access } = options
  const facts = { choice, cards, weightBytes: bytesIn(choice.weightsFolder), config: configIn(choice.weightsFolder) }
  const flags = (place: { model: string; socket: string }) => flagsFor({ ...facts, ...place })
  const { slots, contextTokens } = flags({ model: WEIGHTS_INSIDE, socket: SOCKET_NAME })
  const gpus = cards.flatMap(({ uuid }) => (uuid === null ? [] : [uuid]))
  return managedEngine({
    ...{ env, log, slots, contextTokens, model: choice.variant },
    runner: runnerFor(options, { engine, gpus, flags: (place) => flags(place).args }),
    pulse: async () => {
      if (gpus.length === 0) return ''
      const { cards: now } = await askDriver(env, access)
      return now.map(({ uuid, freeBytes }) => `${uuid} ${freeBytes}`).join()
    },
  })
}

interface Part {
  engine: number
  gpus: string[]
  flags: (place: { model: string; socket: string }) => string[]
}

function runnerFor({ env, machine, choice, found, groups, how }: VllmOptions, { engine, gpus, flags }: Part): Runner {
  const weights = choice.weightsFolder
  if ('process' in how) return asProcess({ env, machine, engine, gpus, weights, args: flags, ...how.process })
  const cores = Math.floor((found.cpu.cores - (found.cpu.cores > 2 ? 1 : 0)) / groups.length)
  return inContainer({
    ...{ env, machine, engine, gpus, weights, ...how.container, image: how.image, count: how.count },
    args: flags({ model: WEIGHTS_INSIDE, socket: `${SOCKETS_INSIDE}/${SOCKET_NAME}` }),
    memoryBytes: Math.floor((found.memory.totalBytes * SHARE_OF_MEMORY) / groups.length),
    cores: Math.max(1, cores),
  })
}
