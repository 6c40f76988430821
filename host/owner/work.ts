// What an hour of nothing but work would be: from this machine's own benchmark, else from published figures.
import type { Env } from '../../sdk/env.ts'
import { savedBenchmark } from '../benchmark/record.ts'
import { speedOf } from '../commands/models.ts'
import type { Home } from '../config.ts'
import type { Card } from '../hardware/card.ts'
import type { Survey } from '../hardware/survey.ts'
import { findVariant, readCatalog } from '../hub/catalog.ts'
import type { Work } from './profit.ts'

export interface WorkWorld {
  env: Env
  home: Home
  /** As `httpAddress` gives it. */
  hub: string
  /** The variant on offer, or its model. */
  model: string
  driver: Survey['driver']
  /** One engine each. */
  groups: readonly (readonly Card[])[]
}

/** Null: nothing is known about these cards and this model. @throws HostError when the hub cannot be asked */
export async function workNow({ env, home, hub, model, driver, groups }: WorkWorld): Promise<Work | null> {
  const catalog = await readCatalog(env, hub)
  const variant = findVariant(catalog, model)
  const price = { priceUsd: Number(variant.priceCompletion), feePpm: catalog.feePpm }
  const cards = groups.flat()
  const names = cards.map(({ name }) => name)
  const bench = savedBenchmark(home, { variant: variant.id, driver: driver.version, cards: names })
  const published = speedOf(variant, groups)
  const { tokensPerSecond, watts } = bench?.soak ?? {}
  if (tokensPerSecond !== undefined && watts != null) return { tokensPerSecond, watts, measured: true, ...price }
  if (!published) return null
  return {
    ...{ tokensPerSecond: tokensPerSecond ?? published.tokensPerSecond, watts: published.watts, measured: false },
    ...price,
  }
}
