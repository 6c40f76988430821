// Which engine a start uses: what was said, else the owner's own server, the emulator behind a simulated card, or what
// gpuhost setup has chosen: vLLM, in a container where one can be started, else as a process.
import type { Env } from '../../sdk/env.ts'
import { checkSpeed, savedBenchmark, slotsFor } from '../benchmark/record.ts'
import { type Choice, savedChoice } from '../choice.ts'
import type { Home } from '../config.ts'
import { HostError } from '../errors.ts'
import type { Card } from '../hardware/card.ts'
import type { DriverAccess } from '../hardware/driver.ts'
import type { Survey } from '../hardware/survey.ts'
import type { Log } from '../log.ts'
import { emulatedEngine } from './emulated.ts'
import type { Engine } from './engine.ts'
import { openAiEngine } from './openai.ts'
import { dockerHere } from './vllm/docker-here.ts'
import { installVllm, PYPI } from './vllm/install.ts'
import { IMAGE, release } from './vllm/release.ts'
import { engineRoom, sweepEngines } from './vllm/sweep.ts'
import { type VllmOptions, vllmEngine } from './vllm/vllm.ts'

/** `vllm` is `docker` where that is possible, else `process`. */
export const engineNames = ['vllm', 'docker', 'process', 'openai', 'emulator'] as const
export type EngineName = (typeof engineNames)[number]

export interface EngineSettings {
  /** Undefined: whichever fits the other settings. */
  engine?: EngineName
  engineUrl?: string
  engineModel?: string
  /** vLLM's image, by digest. */
  engineImage?: string
  model: string
  simulateGpu?: string
  slots: number
  contextTokens: number
}

export interface EngineWorld {
  env: Env
  log: Log
  home: Home
  /** Id of this installation. */
  machine: string
  found: Survey
  access: DriverAccess
  variables: Readonly<Record<string, string | undefined>>
  /** It is about to be measured: what was measured before does not count. */
  measuring?: boolean
  /** Told of the bytes of what has to be downloaded for it. */
  count?: (bytes: number) => void
}

/** @throws HostError when these settings name no engine that can be used */
export async function chooseEngine(settings: EngineSettings, world: EngineWorld): Promise<Engine> {
  const { model, slots, contextTokens, engineModel, engineUrl } = settings
  const { env } = world
  const choice = savedChoice(world.home)
  const name = settings.engine ?? implied(settings, choice)
  switch (name) {
    case 'openai':
      if (engineUrl === undefined)
        throw new HostError('Say where your engine listens: --engine-url http://127.0.0.1:8000', 2)
      return openAiEngine({ env, url: httpAddress(engineUrl), model, engineModel, slots, contextTokens })
    case 'emulator':
      if (settings.simulateGpu === undefined)
        throw new HostError('The emulator goes only with a simulated card: --simulate-gpu "RTX 4090".', 2)
      return emulatedEngine({ env, model, slots, contextTokens })
    default:
      return managed(name, settings, world, choice)
  }
}

function implied({ engineUrl, simulateGpu }: EngineSettings, choice: Choice | null): EngineName {
  if (engineUrl !== undefined) return 'openai'
  if (simulateGpu !== undefined) return 'emulator'
  return choice?.weightsFolder ? 'vllm' : 'openai'
}

async function managed(
  name: 'vllm' | 'docker' | 'process',
  { model, engineImage }: EngineSettings,
  world: EngineWorld,
  choice: Choice | null,
): Promise<Engine> {
  const { env, log, home, found, variables } = world
  const weightsFolder = choice?.weightsFolder
  if (!choice || !weightsFolder)
    throw new HostError(`gpuhost runs what gpuhost setup has made ready: gpuhost setup --model ${model}`, 2)
  if (choice.variant !== model)
    throw new HostError(
      `gpuhost setup has made ${choice.variant} ready, not ${model}: gpuhost setup --model ${model}`,
      2,
    )
  checkDriver(found)
  const groups = groupsOf(choice, found.cards)
  const known = world.measuring ? null : savedBenchmark(home, measuredOn(choice.variant, found, groups))
  const slow = known && checkSpeed(known).find(({ what, ok }) => what === 'speed' && !ok)
  if (slow)
    throw new HostError(
      `${choice.variant} is too slow here: ${slow.actual}, and ${slow.required} are needed. ${slow.remedy ?? ''} ` +
        'Measure again with gpuhost bench.',
      3,
    )
  const how = await howToRun(name, world, engineImage ?? release.image)
  log.info('the engine is vLLM', { version: release.version, as: 'container' in how ? 'container' : 'process' })
  return vllmEngine({
    ...{ env, log, machine: world.machine, access: world.access, found, how },
    choice: { ...choice, weightsFolder },
    ...{ groups, mostSlots: known ? slotsFor(known) : undefined },
    sweep: () => sweepEngines(env, home, variables),
  })
}

async function howToRun(
  name: string,
  { env, log, home, found, variables, count }: EngineWorld,
  image: string,
): Promise<VllmOptions['how']> {
  if (!IMAGE.test(image))
    throw new HostError(
      `"${image.slice(0, 120)}" is not an image by its digest: NAME@sha256:… Names alone can change.`,
      2,
    )
  if (name === 'docker' || (name === 'vllm' && !found.place.container)) {
    const here = await dockerHere(env, variables)
    if ('docker' in here) return { container: here, image, count }
    if (name === 'docker') throw new HostError(`vLLM cannot run in a container: ${here.why}.`, 3)
    log.warn('vLLM runs as a process, which protects this machine less than a container', { why: here.why })
  }
  const room = engineRoom(home, variables)
  const index = variables.UV_DEFAULT_INDEX || variables.PIP_INDEX_URL || PYPI
  return {
    process: {
      room,
      install: (tell, signal) =>
        installVllm({ env, room, index, variables, ...(count ? { count } : {}) }, tell, signal),
    },
  }
}

/** What a measurement is of. */
export function measuredOn(variant: string, { driver }: Pick<Survey, 'driver'>, groups: readonly (readonly Card[])[]) {
  return { variant, driver: driver.version, cards: groups.flat().map(({ name }) => name) }
}

/** The cards that were chosen, as they are now. @throws HostError */
export function groupsOf({ gpus }: Pick<Choice, 'gpus'>, cards: readonly Card[]): Card[][] {
  return gpus.map((group) =>
    group.map((uuid) => {
      const card = cards.find((each) => each.uuid === uuid)
      if (!card) throw new HostError(`The GPU ${uuid} is not there any more. Run gpuhost setup again.`, 3)
      if (card.trouble !== null) throw new HostError(`${card.name} (${uuid}): ${card.trouble}.`, 3)
      return card
    }),
  )
}

/** @throws HostError */
function checkDriver({ driver }: Survey): void {
  const major = Number(driver.version?.split('.')[0])
  if (driver.version !== null && major < release.leastDriver)
    throw new HostError(
      `The NVIDIA driver is ${driver.version}; vLLM ${release.version} needs ${release.leastDriver} or newer. Install one ` +
        '(on Ubuntu: sudo ubuntu-drivers install), then reboot.',
      3,
    )
}

function httpAddress(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url && /^https?:$/.test(url.protocol) && !url.search && !url.hash) return url.href
  throw new HostError(`"${text.slice(0, 80)}" is not an engine's address. Write it like http://127.0.0.1:8000.`, 2)
}
