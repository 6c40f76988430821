// Fewer watts than a card may take, while it works for others: set at NVIDIA's own program, which only root may, and set
// back as it was. What it was is on disk before anything is changed, so that whoever comes after a crash can.
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Static, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import type { Env } from '../../sdk/env.ts'
import type { Home } from '../config.ts'
import { printable, reason } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Card } from './card.ts'
import { say } from './program.ts'

/** Watts by UUID, as they were. */
const Before = Type.Record(Type.String({ maxLength: 80 }), Type.Number({ minimum: 1, maximum: 10_000 }))
type Before = Static<typeof Before>

export interface CapFacts {
  watts: number
  /** Why it is not in force; null: it is, or will be once the card works. */
  trouble: string | null
}

export interface CapWorld {
  env: Env
  log: Log
  home: Home
  /** Default `nvidia-smi` of the PATH. */
  nvidiaSmi?: string
  /** Those on offer, as they are now. */
  cards: () => Promise<readonly Card[]>
}

const SET_MS = 10_000

export class PowerCap {
  /** What was set or tried last; null: nothing is. */
  private wanted: number | null = null
  private trouble: string | null = null

  constructor(private readonly world: CapWorld) {
    // An agent before this one may have been killed.
    if (Object.keys(before(world.home)).length > 0) this.wanted = 0
  }

  /** Makes it so, where it is not yet; `watts` null: as the card was. Each wish is tried once. */
  async heed(watts: number | null): Promise<void> {
    if (watts === this.wanted) return
    const { wanted } = this
    this.wanted = watts
    if (wanted !== null) await restorePower(this.world)
    if (watts !== null) await this.set(watts)
  }

  facts(watts: number | null): CapFacts | null {
    return watts === null ? null : { watts, trouble: this.trouble }
  }

  /** As the cards were before the first cap. */
  async restore(): Promise<void> {
    this.wanted = null
    await restorePower(this.world)
  }

  private async set(watts: number): Promise<void> {
    const { env, log, home, nvidiaSmi = 'nvidia-smi', cards } = this.world
    this.trouble = null
    for (const card of await cards()) {
      const { least, most, limit } = card.powerWatts
      const id = card.partOf ?? card.uuid
      if (id === null || limit === null) {
        this.trouble = `${card.name} does not let its power be limited`
        continue
      }
      const target = Math.max(least ?? watts, Math.min(watts, most ?? watts))
      if (target >= limit) continue
      const failed = note(home, id, limit) ?? (await setLimit(env, nvidiaSmi, id, target))
      if (failed === null) log.info('the power of a card is limited', { card: id, watts: target, before: limit })
      else this.trouble = failed
      if (target !== watts && failed === null) this.trouble = `${card.name} takes no less than ${target} W`
    }
    if (this.trouble !== null) log.warn('the power limit is not in force', { why: this.trouble })
  }
}

/** Sets every card back that was limited, whoever limited it. */
export async function restorePower({
  env,
  home,
  nvidiaSmi = 'nvidia-smi',
  log,
}: Omit<CapWorld, 'cards'>): Promise<void> {
  const were = before(home)
  let left = false
  for (const [uuid, watts] of Object.entries(were)) {
    const failed = await setLimit(env, nvidiaSmi, uuid, watts)
    if (failed !== null) log.error('the power of a card is not as it was', { card: uuid, watts, why: failed })
    left ||= failed !== null
  }
  if (!left) rmSync(pathIn(home), { force: true })
}

const pathIn = (home: Home) => join(home.path, 'power.json')

function before(home: Home): Before {
  try {
    const found: unknown = JSON.parse(readFileSync(pathIn(home), 'utf8'))
    return Value.Check(Before, found) ? found : {}
  } catch {
    return {}
  }
}

/** Null: it is on disk. What was noted first holds: that was before us. */
function note(home: Home, uuid: string, watts: number): string | null {
  const path = pathIn(home)
  try {
    writeFileSync(`${path}.new`, JSON.stringify({ [uuid]: watts, ...before(home) }), { mode: 0o600, flush: true })
    renameSync(`${path}.new`, path)
    return null
  } catch (error) {
    return `what it was cannot be noted: ${reason(error)}`
  }
}

/** Null: done; else why not. */
async function setLimit(env: Env, nvidiaSmi: string, uuid: string, watts: number): Promise<string | null> {
  const said = await say(env, [nvidiaSmi, '-i', uuid, '-pl', String(watts)], SET_MS)
  if ('absent' in said) return 'nvidia-smi is not here, which sets it'
  if ('late' in said) return 'nvidia-smi does not answer'
  if (said.code === 0) return null
  if (/permission/i.test(said.text))
    return `only root may set it; once after each boot: sudo nvidia-smi -i ${uuid} -pl ${watts}`
  return printable(said.text.trim().split('\n')[0] ?? '').slice(0, 160) || `nvidia-smi ends with code ${said.code}`
}
