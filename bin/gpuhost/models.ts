import {
  explainCheck,
  type FittedModel,
  fittedModels,
  MODEL_HEADER,
  MODEL_NUMBERS,
  modelRow,
} from '../../host/commands/models.ts'
import { readCatalog } from '../../host/hub/catalog.ts'
import { systemEnv } from '../../sdk/env.ts'
import { command } from '../command.ts'
import { Failure } from '../failure.ts'
import { table } from '../lines.ts'
import type { Options, Values } from '../options.ts'
import { hubOf, hubOption } from './hub.ts'
import { surveyed } from './probe.ts'
import { shelfAt } from './weights.ts'

/** What an estimate supposes. */
export const nightOptions = {
  hours: { type: 'integer', value: 'N', default: 8, min: 1, max: 24, help: 'Hours a night.' },
  busy: { type: 'integer', value: 'PERCENT', default: 50, min: 0, max: 100, help: 'Share of them in which it works.' },
  electricity: { type: 'string', value: 'USD', default: '0.17', help: 'Price of a kilowatt-hour.' },
} as const satisfies Options

export const modelsCommand = (self: readonly string[]) =>
  command({
    name: 'models',
    summary: 'What this machine can serve, how fast, and what a night of it may bring.',
    options: {
      ...hubOption,
      all: { type: 'boolean', help: 'Also what does not fit, and what the hub does not sell now.' },
      'simulate-gpu': { type: 'string', value: 'NAME', help: 'As if it had that card, e.g. "RTX 4090".' },
      ...nightOptions,
    },
    notes: [
      'Speeds with a ~ are derived from published ones of other models or cards. A night is an estimate at today’s',
      'prices, after the platform’s share and electricity; how busy a card is depends on demand.',
      'Exit code 3: nothing that the hub sells fits this machine.',
    ],
    async run({ options, world, out, say }) {
      const hub = hubOf(world, options.hub)
      const [catalog, machine] = await Promise.all([
        readCatalog(systemEnv, hub),
        surveyed(self, world, options['simulate-gpu']),
      ])
      const shelf = shelfAt(world)
      const here = new Set(catalog.variants.filter((variant) => shelf.find(variant)).map(({ id }) => id))
      const models = fittedModels(catalog, machine, supposedOf(options), here)
      const offered = models.filter(({ onOffer }) => onOffer)
      const shown = options.all ? models : offered.filter(({ verdict }) => verdict !== 'no')
      const rows = shown.map(modelRow)
      const nothing = 'None of the models on offer fits this machine.'
      out(shown, table({ header: MODEL_HEADER, rows, right: MODEL_NUMBERS, empty: nothing }))
      if (offered.some(({ verdict }) => verdict !== 'no')) return 0
      for (const line of whyNothing(offered)) say(line)
      return 3
    },
  })

/** @throws Failure */
export function supposedOf({ hours, busy, electricity }: Values<typeof nightOptions>) {
  return { hours, busy: busy / 100, kilowattHourUsd: usdOf('--electricity', electricity) }
}

/** @throws Failure */
export function usdOf(flag: string, price: string): number {
  if (/^\d{1,2}(\.\d{1,4})?$/.test(price)) return Number(price)
  throw new Failure(`${flag} is a price in USD, such as 0.17.`, 2)
}

/** The checks that failed for the model that came nearest. */
function whyNothing(offered: readonly FittedModel[]): string[] {
  const failures = (model: FittedModel) => model.checks.filter(({ ok }) => !ok)
  const [nearest] = offered.toSorted((a, b) => failures(a).length - failures(b).length)
  if (!nearest) return ['This hub sells nothing now.']
  return [`${nearest.id} came nearest:`, ...failures(nearest).map((check) => `  ${explainCheck(check)}`)]
}
