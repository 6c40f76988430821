import { everyOffer, findOffer, type Offer, offerOf, whyNot } from '../../hub/catalog/find.ts'
import { effectiveClass } from '../../hub/catalog/licence.ts'
import { importFacts } from '../../hub/catalog/facts.ts'
import { keepImport, prepareImport } from '../../hub/catalog/imports.ts'
import { proveTokenizer } from '../../hub/metering/prove.ts'
import { decide, type Decision, decisions } from '../../hub/catalog/offers.ts'
import { systemEnv } from '../../sdk/env.ts'
import { usdPerMillion } from '../../sdk/money.ts'
import { command, type Group } from '../command.ts'
import { Failure } from '../failure.ts'
import { columns, table } from '../lines.ts'
import { onDatabase, place } from './database.ts'

const list = command({
  name: 'list',
  summary: 'List the catalog: what is on, what can be switched on, and why not the rest.',
  options: place,
  run: ({ options, world, out }) =>
    onDatabase({ world, data: options.data, create: true }, async (db) => {
      const decided = await decisions(db)
      const models = everyOffer()
        .filter((offer) => offer.model.tokenizer !== 'emulated')
        .map((offer) => described(offer, decided.get(offer.id)))
      const rows = models.map((model) => [
        model.id,
        model.enabled ? 'on' : model.reason === null ? 'off' : 'cannot',
        model.licence,
        `$${model.promptUsdPerMillion}`,
        `$${model.completionUsdPerMillion}`,
        `${model.minVramGb} GB`,
      ])
      const header = ['model', 'state', 'licence', 'prompt /M', 'answer /M', 'memory']
      out(models, table({ header, rows, right: [3, 4, 5], empty: 'The catalog is empty.' }))
    }),
})

function described(offer: Offer, decided: Decision | undefined) {
  const { model, variant } = offer
  const price = decided?.startPrice ?? variant.startPrice
  const reason = whyNot(offer)
  return {
    id: offer.id,
    model: model.id,
    precision: variant.precision,
    enabled: reason === null && (decided?.enabled ?? model.defaultOn),
    /** Why it cannot be switched on; null: it can. */
    reason,
    licence: model.licence.name,
    licenceClass: effectiveClass(model),
    contextTokens: variant.contextTokens,
    minVramGb: variant.minVramGb,
    promptUsdPerMillion: usdPerMillion(price.promptPicos),
    completionUsdPerMillion: usdPerMillion(price.completionPicos),
  }
}

/** A model's id means all its variants; with a precision, that one. */
const switching = (name: 'enable' | 'disable', enabled: boolean) =>
  command({
    name,
    summary: enabled ? 'Offer a model, or one variant of it.' : 'Stop offering a model, or one variant of it.',
    positionals: [{ name: 'model', help: 'E.g. Qwen/Qwen3-14B, or Qwen/Qwen3-14B:awq for one variant.' }],
    options: place,
    run: ({ positionals, options, world, out }) =>
      onDatabase({ world, data: options.data, create: true }, async (db) => {
        const offer = findOffer(positionals.model)
        if (!offer) throw new Failure('This model is not in the catalog.', 1, 'See: gpuhub model list')
        const reason = whyNot(offer)
        if (enabled && reason !== null) throw new Failure(reason)
        const chosen = everyOffer().filter(
          ({ id, model }) => id === positionals.model || model.id === positionals.model,
        )
        for (const { id } of chosen) await decide(systemEnv, db, 'command line', { variant: id, enabled })
        const changed = chosen.map(({ id }) => ({ id, enabled }))
        out(
          changed,
          changed.map(({ id }) => `${id} is ${enabled ? 'on' : 'off'}.`),
        )
      }),
  })

const bringIn = command({
  name: 'import',
  summary: 'Bring in a model of HuggingFace that the catalog lacks. It is off until it is enabled.',
  positionals: [{ name: 'model', help: 'Its HuggingFace id, e.g. Qwen/Qwen3-4B.' }],
  options: {
    ...place,
    revision: { type: 'string', value: 'COMMIT', help: 'A commit, branch or tag [default: what main is at now].' },
    'licence-read': {
      type: 'boolean',
      help: 'You have read licences that this hub does not know, and they let you sell answers.',
    },
    check: { type: 'boolean', help: 'Only say what would come, and what is against it.' },
  },
  notes: [
    'It is read at one commit: list of files, config, tokenizer, licence, and the licences of what it derives from.',
    'Refused are weights that can hold programs, models that need programs of their own, tokenizers this hub cannot',
    'count with exactly, and licences that nobody has read. HF_ENDPOINT and HF_TOKEN say where it is read, and as whom.',
  ],
  run: ({ positionals: { model }, options, world, out, say }) =>
    onDatabase({ world, data: options.data, create: true }, async (db, config) => {
      const library = { env: systemEnv, endpoint: config.hfEndpoint, token: config.hfToken }
      if (world.interactive) say(`Reading ${model} at ${config.hfEndpoint} …`)
      const wish = { model, revision: options.revision ?? null, licenceRead: options['licence-read'] ?? false }
      const prepared = await prepareImport(library, wish, async (files) => proveTokenizer(files))
      const { record, against } = prepared
      if (!options.check) await keepImport(systemEnv, db, 'command line', prepared)
      const next = options.check ? [] : ['', `It is off. Put it on offer with: gpuhub model enable ${record.id}`]
      out({ ...described(offerOf(record), undefined), revision: record.variants[0].revision, against }, [
        ...columns([...importFacts(record), ...against.map((why) => ['against', why])]),
        ...next,
      ])
      return against.length > 0 ? 1 : 0
    }),
})

export const modelCommands: Group = {
  name: 'model',
  summary: 'What this hub offers',
  commands: [list, switching('enable', true), switching('disable', false), bringIn],
}
