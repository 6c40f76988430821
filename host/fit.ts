// Whether a machine can serve a variant, decided from facts alone: the catalog's word and the survey. Every "no" says what
// there is, what it takes, why, and what its owner can do.
import type { CatalogVariant } from '../sdk/catalog.ts'
import { SPARE_BYTES } from './engine/vllm/flags.ts'
import { release } from './engine/vllm/release.ts'
import type { Card } from './hardware/card.ts'
import type { Survey } from './hardware/survey.ts'

export interface Check {
  /** Shown as it is. */
  what: string
  ok: boolean
  actual: string
  required: string
  why: string
  /** What to do; null: nothing, it is fine. */
  remedy: string | null
}

export interface Fit {
  variant: string
  /** `busy`: it would, if other programs gave back memory of the GPU. */
  verdict: 'fits' | 'busy' | 'no'
  /** `own`: an engine that the owner runs (Ollama, llama.cpp); `vllm`: gpuhost runs it. */
  engine: 'vllm' | 'own'
  /** GPUs by UUID; one engine each group. Empty when it does not fit. */
  gpus: string[][]
  checks: Check[]
}

/** The vLLM that gpuhost runs is built for CUDA 13, which no older driver runs (engine/vllm/release.ts). */
const LEAST_DRIVER = release.leastDriver
/** Cards hold a little less than their name says: 24564 MiB of 24 GiB, 81559 MiB of 80. */
const AS_SOLD = 0.99
/** The catalog's figures are for an engine that takes nine tenths of its cards, as vLLM does; a little more stays free. */
const SHARE_TAKEN = 0.92
/** What each further card holds again: CUDA's own, graphs, buffers. */
const TOGETHER_GIB = 1
/** Tensor parallelism divides heads evenly, which all models here allow for these. */
const GROUPS = [1, 2, 4, 8]
const LEAST_MEMORY_BYTES = 8 * 2 ** 30
/** Beside the weights: the engine with its caches, and what a machine needs to stay well. */
const BESIDE_WEIGHTS_BYTES = 25e9
const GIB = 2 ** 30

/** `downloaded`: the weights are here already. */
export function fit(variant: CatalogVariant, machine: Survey, { downloaded = false } = {}): Fit {
  const own = variant.minComputeCapability === null
  const usable = machine.cards.filter(({ trouble }) => trouble === null)
  const capable = usable.filter((card) => reaches(card.computeCapability, variant.minComputeCapability))
  const groups = grouped(capable, variant)
  const first = groups[0]
  const checks = [
    ...(own ? [] : [system(machine)]),
    gpu(machine, usable),
    ...(own || machine.driver.version === null ? [] : [driver(machine.driver.version)]),
    ...(own || usable.length === 0 ? [] : [capability(usable, variant)]),
    ...(usable.length === 0 ? [] : [gpuMemory(usable, groups, variant)]),
    ...(first ? [freeMemory(first, variant)] : []),
    ...(own ? [] : [memory(machine), ...(downloaded ? [] : [disk(machine, variant)])]),
  ]
  const failed = checks.filter(({ ok }) => !ok)
  const verdict = failed.length === 0 ? 'fits' : failed.every(({ what }) => what === 'free gpu memory') ? 'busy' : 'no'
  const names = (group: Card[]) => group.map((card) => card.uuid ?? String(machine.cards.indexOf(card)))
  return {
    variant: variant.id,
    verdict,
    engine: own ? 'own' : 'vllm',
    gpus: verdict === 'no' ? [] : groups.map(names),
    checks,
  }
}

/** The fewest equal cards that hold the variant, as often as there are such; those with the most room first. */
function grouped(cards: readonly Card[], variant: CatalogVariant): Card[][] {
  const kinds = Map.groupBy(cards, ({ name, memoryBytes, partOf }) => `${name} ${memoryBytes} ${partOf ?? ''}`)
  for (const size of GROUPS) {
    const groups = [...kinds.values()].flatMap((equal) => {
      // Instances of a divided card cannot talk to each other.
      const holds = holdsTogether(equal[0], size, variant) && (size === 1 || equal[0]?.partOf === null)
      return holds ? chunks(byRoom(equal), size) : []
    })
    if (groups.length > 0) return byRoomOfFirst(groups)
  }
  return []
}

function holdsTogether(card: Card | undefined, size: number, { minVramGb }: CatalogVariant): boolean {
  const needed = minVramGb + (size - 1) * TOGETHER_GIB
  return card !== undefined && card.memoryBytes * size >= needed * GIB * AS_SOLD
}

const room = (card: Card) => card.freeBytes ?? card.memoryBytes
const byRoom = (cards: readonly Card[]) => cards.toSorted((a, b) => room(b) - room(a))
const leastRoom = (group: readonly Card[]) => Math.min(...group.map(room))
const byRoomOfFirst = (groups: readonly Card[][]) => groups.toSorted((a, b) => leastRoom(b) - leastRoom(a))

function chunks(cards: readonly Card[], size: number): Card[][] {
  const count = Math.floor(cards.length / size)
  return Array.from({ length: count }, (_, at) => cards.slice(at * size, (at + 1) * size))
}

/** "8.10" is newer than "8.9". What the driver does not say is not taken for good. */
export function reaches(actual: string | null, least: string | null): boolean {
  if (least === null) return true
  if (actual === null) return false
  const [[major = 0, minor = 0], [leastMajor = 0, leastMinor = 0]] = [numbers(actual), numbers(least)]
  return major > leastMajor || (major === leastMajor && minor >= leastMinor)
}

const numbers = (version: string) => version.split('.').map(Number)
const gib = (bytes: number) => `${(bytes / GIB).toFixed(1)} GiB`

function system({ system: { platform, os } }: Survey): Check {
  const ok = platform === 'linux'
  return {
    ...{ what: 'system', ok, actual: os, required: 'Linux', why: 'vLLM runs on Linux only.' },
    remedy: ok ? null : 'Use a Linux machine, or serve a model with an engine of your own.',
  }
}

function gpu({ cards, driver: { trouble } }: Survey, usable: readonly Card[]): Check {
  const ok = usable.length > 0
  const sick = cards.find((card) => card.trouble !== null)?.trouble
  return {
    ...{
      what: 'gpu',
      ok,
      actual: ok ? `${usable.length} GPU${usable.length > 1 ? 's' : ''}` : (trouble ?? sick ?? 'none found'),
    },
    ...{ required: 'an NVIDIA GPU that works', why: 'Models are served from the memory of a GPU.' },
    remedy: ok ? null : 'See what gpuhost doctor says about the driver; nvidia-smi has to list the card.',
  }
}

function driver(version: string): Check {
  const ok = Number(version.split('.')[0]) >= LEAST_DRIVER
  return {
    ...{ what: 'driver', ok, actual: version, required: `${LEAST_DRIVER} or newer` },
    why: 'vLLM is built for CUDA 13, which older drivers do not run.',
    remedy: ok ? null : 'Install a newer NVIDIA driver (on Ubuntu: sudo ubuntu-drivers install), then reboot.',
  }
}

function capability(usable: readonly Card[], { minComputeCapability: least, precision }: CatalogVariant): Check {
  const ok = usable.some((card) => reaches(card.computeCapability, least))
  const found = [...new Set(usable.map((card) => card.computeCapability ?? 'unknown'))].join(', ')
  return {
    ...{ what: 'compute capability', ok, actual: found, required: `${least} or newer` },
    why: `Older GPUs cannot compute with ${precision} weights.`,
    remedy: ok ? null : 'Choose a variant in another precision: gpuhost models lists those this machine can serve.',
  }
}

function gpuMemory(usable: readonly Card[], groups: readonly Card[][], { minVramGb }: CatalogVariant): Check {
  const ok = groups.length > 0
  const sizes = usable.map((card) => gib(card.memoryBytes)).join(' + ')
  return {
    ...{ what: 'gpu memory', ok, actual: sizes, required: `${minVramGb} GiB` },
    why: 'Weights and the cache of running requests have to fit, on one card or on 2, 4 or 8 equal ones.',
    remedy: ok ? null : 'Choose a smaller model, or a variant in fewer bits.',
  }
}

function freeMemory(group: readonly Card[], { minVramGb }: CatalogVariant): Check {
  const needed = ((minVramGb + (group.length - 1) * TOGETHER_GIB) / group.length) * GIB * SHARE_TAKEN + SPARE_BYTES
  const free = leastRoom(group)
  const ok = free >= needed
  const others = group.flatMap(({ processes }) => processes ?? []).map(({ name, pid }) => name ?? `process ${pid}`)
  const end = others.length > 0 ? `End ${others.slice(0, 3).join(', ')}` : 'End other programs that use the GPU'
  return {
    ...{
      what: 'free gpu memory',
      ok,
      actual: gib(free),
      required: group.length > 1 ? `${gib(needed)} a card` : gib(needed),
    },
    why: 'What other programs hold is not there for the model.',
    remedy: ok ? null : `${end}, or choose a smaller model.`,
  }
}

function memory({ memory: { totalBytes } }: Survey): Check {
  const ok = totalBytes >= LEAST_MEMORY_BYTES * 0.9
  return {
    ...{ what: 'memory', ok, actual: gib(totalBytes), required: gib(LEAST_MEMORY_BYTES) },
    why: 'The engine itself and its libraries live in main memory.',
    remedy: ok ? null : 'Give this machine more memory.',
  }
}

function disk({ disk: { freeBytes, path } }: Survey, { weightBytes }: CatalogVariant): Check {
  const needed = (weightBytes ?? 0) * 1.1 + BESIDE_WEIGHTS_BYTES
  const ok = freeBytes >= needed
  const size = (bytes: number) => `${(bytes / 1e9).toFixed(0)} GB`
  return {
    ...{ what: 'disk', ok, actual: `${size(freeBytes)} free`, required: `${size(needed)} free` },
    why: 'Weights are kept on disk, beside the engine and some room that stays free.',
    remedy: ok
      ? null
      : `Make room at ${path}, remove other weights (gpuhost weights list), or set GPUHOST_HOME to a larger disk.`,
  }
}
