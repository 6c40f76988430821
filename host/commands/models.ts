// `gpuhost models`: what this machine can serve, how fast, and what a night of it may bring.
import type { CatalogVariant } from '../../sdk/catalog.ts'
import { expectedSpeed, nightUsd } from '../../sdk/earnings.ts'
import { type Check, type Fit, fit } from '../fit.ts'
import type { Card } from '../hardware/card.ts'
import type { Survey } from '../hardware/survey.ts'
import type { Catalog } from '../hub/catalog.ts'

/** What an owner supposes of a night. */
export interface Supposed {
  hours: number
  /** Share of the time in which the GPU works, 0 to 1. */
  busy: number
  /** USD. */
  kilowattHourUsd: number
}

export interface FittedModel {
  id: string
  name: string
  onOffer: boolean
  verdict: Fit['verdict']
  engine: Fit['engine']
  gpus: string[][]
  /** Of all its engines together, with full queues; null: nothing is known about these GPUs. */
  tokensPerSecond: number | null
  /** Somebody has measured it on such a card; else it is derived from other measurements. */
  published: boolean
  /** USD, an estimate. */
  night: { earned: number; electricity: number; net: number } | null
  hostsOnline: number
  downloadBytes: number | null
  downloaded: boolean
  gated: boolean | null
  license: string
  checks: Check[]
}

/** Two cards share each token's work, and talk about it over PCIe. */
const TOGETHER = 0.75

/** Those that fit first, and among them those that bring most. `downloaded` has the ids whose weights are here. */
export function fittedModels(
  { variants, feePpm }: Pick<Catalog, 'variants' | 'feePpm'>,
  machine: Survey,
  supposed: Supposed,
  downloaded: ReadonlySet<string> = new Set(),
): FittedModel[] {
  const models = variants.map((variant): FittedModel => {
    const here = downloaded.has(variant.id)
    const { verdict, engine, gpus, checks } = fit(variant, machine, { downloaded: here })
    const speed = verdict === 'no' ? null : speedOf(variant, cardsOf(gpus, machine.cards))
    return {
      ...{ id: variant.id, name: variant.name, onOffer: variant.onOffer, verdict, engine, gpus },
      tokensPerSecond: speed && Math.round(speed.tokensPerSecond),
      published: speed?.published ?? false,
      night: speed && nightUsd({ ...supposed, ...speed, priceUsd: Number(variant.priceCompletion), feePpm }),
      ...{ hostsOnline: variant.hostsOnline, downloadBytes: variant.weightBytes, downloaded: here },
      ...{ gated: variant.gated, license: variant.license, checks },
    }
  })
  const rank = { fits: 0, busy: 1, no: 2 }
  return models.sort(
    (a, b) => rank[a.verdict] - rank[b.verdict] || (b.night?.net ?? -Infinity) - (a.night?.net ?? -Infinity),
  )
}

/** Of all engines together, one for each group of cards; null: nothing is known about one of them. */
export function speedOf(variant: CatalogVariant, groups: readonly (readonly Card[])[]) {
  const all = { tokensPerSecond: 0, watts: 0, published: groups.every((group) => group.length === 1) }
  for (const group of groups) {
    const one = expectedSpeed(group[0]?.name ?? '', variant)
    if (!one) return null
    all.tokensPerSecond += one.tokensPerSecond * (group.length === 1 ? 1 : group.length * TOGETHER)
    all.watts += one.watts * group.length
    all.published &&= one.published
  }
  return all
}

function cardsOf(gpus: readonly string[][], cards: readonly Card[]): Card[][] {
  return gpus.map((group) => group.flatMap((id) => cards.find((card, at) => (card.uuid ?? String(at)) === id) ?? []))
}

const usd = (amount: number) => `${amount < 0 ? '-' : ''}$${Math.abs(amount).toFixed(2)}`

export const MODEL_HEADER = ['model', 'fits', 'tokens/s', 'a night', 'hosts', 'download', 'licence']
/** Columns of numbers. */
export const MODEL_NUMBERS = [2, 3, 4, 5]

/** A row for each model, as `MODEL_HEADER` has it. */
export function modelRow(model: FittedModel): string[] {
  const { id, tokensPerSecond, published, night, hostsOnline, downloadBytes, downloaded, license } = model
  return [
    id,
    verdictWords(model),
    tokensPerSecond === null ? '?' : `${published ? '' : '~'}${tokensPerSecond}`,
    night === null ? '?' : usd(night.net),
    String(hostsOnline),
    downloaded ? 'here' : downloadBytes === null ? '?' : `${(downloadBytes / 1e9).toFixed(1)} GB`,
    `${license}${model.gated ? ' (gated)' : ''}`,
  ]
}

function verdictWords({ verdict, gpus, engine, checks }: FittedModel): string {
  const failed = checks.filter(({ ok }) => !ok)
  if (verdict === 'no') return `no: ${failed.map(({ what }) => what).join(', ')}`
  if (verdict === 'busy') return 'when the GPU is free'
  const [group] = gpus
  const each = (group?.length ?? 1) > 1 ? `on ${group?.length} GPUs together` : 'yes'
  const times = gpus.length > 1 ? `, ${gpus.length} times` : ''
  return `${each}${times}${engine === 'own' ? ', with your own engine' : ''}`
}

/** What a failed check has to say, in one paragraph. */
export function explainCheck({ what, actual, required, why, remedy }: Check): string {
  return `${what}: ${actual}; needed: ${required}. ${why}${remedy === null ? '' : ` ${remedy}`}`
}
