import { describeProgress, SHELF_HEADER, shelfRow } from '../../host/commands/weights.ts'
import { homeAt, makeHome } from '../../host/config.ts'
import { findVariant, readCatalog } from '../../host/hub/catalog.ts'
import { countedDownload, DataMeter } from '../../host/owner/data.ts'
import { savedWishes } from '../../host/owner/wishes.ts'
import { Shelf } from '../../host/weights/shelf.ts'
import { HUGGING_FACE, type Source } from '../../host/weights/source.ts'
import { systemEnv } from '../../sdk/env.ts'
import { command, type Group, type World } from '../command.ts'
import { Failure } from '../failure.ts'
import { table } from '../lines.ts'
import type { Options } from '../options.ts'
import { hubOf, hubOption } from './hub.ts'
import { progressOn } from './progress.ts'

/** How weights may be fetched. */
export const fetchOptions = {
  'hf-token': {
    type: 'string',
    value: 'TOKEN',
    env: 'HF_TOKEN',
    help: 'Yours at HuggingFace, for gated models; other users can read arguments, so better in the environment.',
  },
  mirror: { type: 'string', value: 'URL', env: 'HF_ENDPOINT', help: `Instead of ${HUGGING_FACE}.` },
  'limit-mbit': { type: 'integer', value: 'N', min: 1, max: 100_000, help: 'Most Mbit/s a download may take.' },
  quota: {
    type: 'integer',
    value: 'GB',
    env: 'GPUHOST_QUOTA_GB',
    min: 1,
    max: 1_000_000,
    help: 'Most disk for weights.',
  },
} as const satisfies Options

export const weightsCommands: Group = {
  name: 'weights',
  summary: 'Model files on this machine.',
  commands: [
    command({
      name: 'add',
      summary: 'Download the weights of a model; goes on where it was stopped.',
      options: {
        ...hubOption,
        ...fetchOptions,
      },
      positionals: [{ name: 'id', help: 'A model or variant, e.g. Qwen/Qwen3-8B:fp8.' }],
      async run({ options, positionals, world, out }) {
        const catalog = await readCatalog(systemEnv, hubOf(world, options.hub))
        const variant = findVariant(catalog, positionals.id)
        const progress = progressOn(world)
        const { signal, over } = untilInterrupted()
        const { source, counted } = sourceOf(world, options)
        const shelved = await shelfAt(world)
          .fetch({
            ...{ variant, signal, source, progress: (at) => progress(describeProgress(at)) },
            ...limitsOf(options),
          })
          .finally(() => (counted(), over(), progress('')))
        out(shelved, [`${variant.id} is here: ${shelved.folder}`])
      },
    }),
    command({
      name: 'list',
      summary: 'What is here.',
      run({ world, out }) {
        const all = shelfAt(world).list()
        const rows = all.map((shelved) => shelfRow(shelved, systemEnv))
        out(all, table({ header: SHELF_HEADER, rows, right: [2], empty: 'No weights yet: gpuhost weights add ID' }))
      },
    }),
    command({
      name: 'remove',
      summary: 'Throw some out.',
      positionals: [{ name: 'name', help: 'As the list shows it.' }],
      run({ positionals: { name }, world, out }) {
        const shelf = shelfAt(world)
        if (!shelf.list().some((shelved) => shelved.name === name))
          throw new Failure('That is not on the shelf.', 1, 'gpuhost weights list shows what is.')
        shelf.remove(name)
        out({ name, removed: true }, [`removed ${name}`])
      },
    }),
    command({
      name: 'pin',
      summary: 'Never throw it out to make room for others.',
      options: { off: { type: 'boolean', help: 'It may go again.' } },
      positionals: [{ name: 'name', help: 'As the list shows it.' }],
      run({ positionals: { name }, options: { off }, world, out }) {
        const shelf = shelfAt(world)
        if (!shelf.list().some((shelved) => shelved.name === name))
          throw new Failure('That is not on the shelf.', 1, 'gpuhost weights list shows what is.')
        shelf.pin(name, !off)
        out({ name, pinned: !off }, [off ? `${name} may go` : `${name} stays`])
      },
    }),
  ],
}

/** The weights in this agent's home. */
export function shelfAt({ env }: World): Shelf {
  const home = homeAt(env)
  makeHome(home)
  return new Shelf(systemEnv, `${home.path}/weights`)
}

/** Call `counted` once the download is over: what came is on record then. @throws Failure */
export function sourceOf(
  { env }: World,
  options: { mirror: string | undefined; 'hf-token': string | undefined },
): { source: Source; counted: () => void } {
  const endpoint = (options.mirror ?? HUGGING_FACE).replace(/\/+$/, '')
  if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol))
    throw new Failure('--mirror (HF_ENDPOINT) is an address such as https://hf-mirror.example.', 2)
  const home = homeAt(env)
  makeHome(home)
  const meter = new DataMeter(systemEnv, home.path)
  const count = countedDownload(
    meter,
    () => savedWishes(home).data,
    () => systemEnv.now(),
  )
  return { source: { env: systemEnv, endpoint, token: options['hf-token'], count }, counted: () => meter.close() }
}

export function limitsOf(options: { 'limit-mbit': number | undefined; quota: number | undefined }) {
  const megabits = options['limit-mbit']
  return {
    bytesPerSecond: megabits === undefined ? null : megabits * 125_000,
    quotaBytes: options.quota === undefined ? null : options.quota * 1e9,
  }
}

/** Ctrl-C ends a download in good order; a second one ends the program. */
export function untilInterrupted(): { signal: AbortSignal; over: () => void } {
  const stop = new AbortController()
  const interrupt = () => stop.abort(new Error('interrupted'))
  process.once('SIGINT', interrupt)
  process.once('SIGTERM', interrupt)
  return {
    signal: stop.signal,
    over: () => {
      process.off('SIGINT', interrupt)
      process.off('SIGTERM', interrupt)
    },
  }
}
