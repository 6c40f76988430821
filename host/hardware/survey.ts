// Everything this machine is made of, as far as it matters to a host.
import { statfsSync } from 'node:fs'
import { arch, cpus, freemem, release, totalmem, type } from 'node:os'
import { dirname } from 'node:path'
import type { Env } from '../../sdk/env.ts'
import type { Hardware } from '../../sdk/wire/frames.ts'
import { HostError } from '../errors.ts'
import { type Card, plainCard } from './card.ts'
import { cardNamed, cardNames } from './cards.ts'
import { askDriver, type DriverAccess } from './driver.ts'
import { findPlace, type Place } from './place.ts'

export interface Survey {
  cards: Card[]
  driver: {
    version: string | null
    cuda: string | null
    /** Who said so; null: nobody could be asked. */
    by: 'nvml' | 'nvidia-smi' | 'simulated' | null
    /** Why the cards could not be read; null: they could, or there are none. */
    trouble: string | null
  }
  cpu: { name: string; cores: number }
  memory: { totalBytes: number; freeBytes: number }
  /** Where the weights go. */
  disk: { path: string; totalBytes: number; freeBytes: number }
  /** `os` as shown, `platform` as Bun names it. */
  system: { os: string; platform: string; arch: string }
  place: Place
  simulated: boolean
}

export interface SurveyOptions {
  env: Env
  access: DriverAccess
  variables: Readonly<Record<string, string | undefined>>
  /** The agent's folder; it need not be there yet. */
  folder: string
  /** Pretends, openly, to have that card. */
  simulate?: string
}

/** @throws HostError when `simulate` names no known card */
export async function survey({ env, access, variables, folder, simulate }: SurveyOptions): Promise<Survey> {
  const { cards, driver, cuda, by, trouble } = simulate
    ? { cards: [simulated(simulate)], driver: null, cuda: null, by: 'simulated' as const, trouble: null }
    : await askDriver(env, access)
  return {
    cards,
    driver: { version: driver, cuda, by, trouble },
    cpu: { name: (cpus()[0]?.model ?? 'unknown').slice(0, 120), cores: cpus().length },
    memory: { totalBytes: totalmem(), freeBytes: freemem() },
    disk: roomAt(folder),
    system: { os: `${type()} ${release()}`.slice(0, 80), platform: process.platform, arch: arch() },
    place: findPlace(variables),
    simulated: simulate !== undefined,
  }
}

/** What a hub is told of it. */
export function hardwareOf({ cards, driver, cpu, memory, system, simulated }: Survey): Hardware {
  return {
    gpus: cards
      .filter(({ trouble }) => trouble === null)
      .slice(0, 32)
      .map(({ name, memoryBytes, computeCapability, uuid }) => ({ name, memoryBytes, computeCapability, uuid })),
    driver: driver.version,
    cpu: cpu.name,
    cores: cpu.cores,
    memoryBytes: memory.totalBytes,
    os: system.os,
    arch: system.arch,
    simulated,
  }
}

function simulated(name: string): Card {
  const gpu = cardNamed(name)
  if (gpu) {
    const { computeCapability, memoryBytes } = gpu
    return { ...plainCard(gpu.name, memoryBytes), freeBytes: memoryBytes, computeCapability }
  }
  throw new HostError(`"${name.slice(0, 40)}" is not a card that can be simulated. Known: ${cardNames.join(', ')}.`, 2)
}

/** Of the nearest folder there is. */
export function roomAt(path: string): Survey['disk'] {
  try {
    const { bsize, blocks, bavail } = statfsSync(path)
    return { path, totalBytes: bsize * blocks, freeBytes: bsize * bavail }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(path) === path)
      return { path, totalBytes: 0, freeBytes: 0 }
    return { ...roomAt(dirname(path)), path }
  }
}
