// Every variant of the catalog on every machine the kit knows, against a table that was written by hand.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { everyOffer } from '../hub/catalog/find.ts'
import { catalogRow } from '../hub/gateway/catalog.ts'
import { openingPrices } from '../hub/market/book.ts'
import type { CatalogVariant } from '../sdk/catalog.ts'
import { systemEnv } from '../sdk/env.ts'
import { flagsFor } from './engine/vllm/flags.ts'
import { fit, reaches } from './fit.ts'
import type { Card } from './hardware/card.ts'
import { plainCard } from './hardware/card.ts'
import { askDriver } from './hardware/driver.ts'
import type { Survey } from './hardware/survey.ts'
import { fakeMachine, type MachineName, machines, removeMachines } from './hardware/testing/machines.ts'

setDefaultTimeout(60_000)
afterAll(removeMachines)

const columns: MachineName[] = [
  'one 4090',
  'two 3090',
  'one 5090',
  '8 GB card',
  '12 GB card',
  '6 GB card',
  'divided H100',
  'a sick card',
  'a gamer at play',
  'old driver',
  'hanging driver',
  'no GPU',
  'crashing library',
  'driver not loaded',
]

// 1: on one card; 2: on two together; b: it would, if a game gave its memory back; -: no.
const table = `
Qwen/Qwen3-8B:bf16                                  1 1 1 - - - 1 1 b - - - 1 -
Qwen/Qwen3-8B:fp8                                   1 - 1 - b - 1 - 1 - - - 1 -
Qwen/Qwen3-8B:awq                                   1 1 1 - 1 - 1 1 1 - - - 1 -
Qwen/Qwen3-8B:q4_k_m                                1 1 1 1 1 - 1 1 1 1 - - 1 -
Qwen/Qwen3-14B:awq                                  1 1 1 - - - 1 1 1 - - - 1 -
Qwen/Qwen3-14B:bf16                                 - 2 - - - - 1 - - - - - - -
Qwen/Qwen3-30B-A3B:gptq-int4                        1 1 1 - - - 1 1 b - - - 1 -
Qwen/Qwen3-30B-A3B:bf16                             - - - - - - - - - - - - - -
Qwen/Qwen3-32B:awq                                  1 1 1 - - - 1 1 b - - - 1 -
Qwen/Qwen3-32B:fp8                                  - - - - - - 1 - - - - - - -
Qwen/Qwen3-32B:bf16                                 - - - - - - - - - - - - - -
Qwen/Qwen3.6-35B-A3B:fp8                            - - - - - - - - - - - - - -
Qwen/Qwen3.6-35B-A3B:bf16                           - - - - - - - - - - - - - -
Qwen/Qwen3.6-35B-A3B:nvfp4                          1 1 1 - - - 1 1 b - - - 1 -
Qwen/Qwen3.6-27B:gptq-int4                          1 1 1 - - - 1 1 b - - - 1 -
Qwen/Qwen3.6-27B:bf16                               - - - - - - - - - - - - - -
google/gemma-4-26B-A4B-it:fp8                       - - 1 - - - 1 - - - - - - -
google/gemma-4-26B-A4B-it:bf16                      - - - - - - - - - - - - - -
google/gemma-4-26B-A4B-it:nvfp4                     - - 1 - - - - - - - - - - -
google/gemma-4-12B-it:int4                          1 1 1 - - - 1 1 1 - - - 1 -
google/gemma-4-12B-it:bf16                          - 2 1 - - - 1 - - - - - - -
google/gemma-4-31B-it:int4                          1 1 1 - - - 1 1 b - - - 1 -
google/gemma-4-31B-it:bf16                          - - - - - - - - - - - - - -
google/gemma-4-31B-it:fp8                           - - - - - - 1 - - - - - - -
google/gemma-4-31B-it:nvfp4                         - - 1 - - - - - - - - - - -
openai/gpt-oss-20b:mxfp4                            1 1 1 - - - 1 1 b - - - 1 -
mistralai/Mistral-Nemo-Instruct-2407:bf16           - 2 1 - - - 1 - - - - - - -
mistralai/Mistral-Small-3.2-24B-Instruct-2506:bf16  - - - - - - - - - - - - - -
mistralai/Ministral-3-14B-Instruct-2512:fp8         1 - 1 - - - 1 - b - - - 1 -
mistralai/Ministral-3-14B-Instruct-2512:bf16        - 2 1 - - - 1 - - - - - - -
microsoft/phi-4:bf16                                - 2 - - - - 1 - - - - - - -
deepseek-ai/DeepSeek-R1-Distill-Qwen-14B:bf16       - 2 - - - - 1 - - - - - - -
deepseek-ai/DeepSeek-R1-Distill-Qwen-32B:bf16       - - - - - - - - - - - - - -
Qwen/Qwen2.5-7B-Instruct:bf16                       1 1 1 - - - 1 1 b - - - 1 -
Qwen/Qwen2.5-7B-Instruct:awq                        1 1 1 1 1 - 1 1 1 - - - 1 -
mistralai/Mistral-7B-Instruct-v0.3:bf16             1 1 1 - - - 1 1 b - - - 1 -
mistralai/Mixtral-8x7B-Instruct-v0.1:bf16           - - - - - - - - - - - - - -
meta-llama/Llama-3.1-8B-Instruct:bf16               1 1 1 - - - 1 1 b - - - 1 -
meta-llama/Llama-3.1-8B-Instruct:fp8                1 - 1 - b - 1 - 1 - - - 1 -
meta-llama/Llama-3.1-8B-Instruct:awq                1 1 1 1 1 - 1 1 1 - - - 1 -
meta-llama/Llama-3.1-8B-Instruct:nvfp4              - - 1 - - - - - - - - - - -
meta-llama/Llama-3.3-70B-Instruct:awq               - 2 - - - - - - - - - - - -
meta-llama/Llama-3.3-70B-Instruct:bf16              - - - - - - - - - - - - - -
meta-llama/Llama-3.3-70B-Instruct:fp8               - - - - - - - - - - - - - -
meta-llama/Llama-3.3-70B-Instruct:nvfp4             - - - - - - - - - - - - - -
deepseek-ai/DeepSeek-R1-Distill-Llama-8B:bf16       1 1 1 - - - 1 1 b - - - 1 -
google/gemma-3-12b-it:bf16                          - 2 1 - - - 1 - - - - - - -
google/gemma-3-27b-it:bf16                          - - - - - - - - - - - - - -
google/gemma-2-9b-it:bf16                           1 1 1 - - - 1 1 b - - - 1 -
Qwen/Qwen3-30B-A3B-Instruct-2507:bf16               - - - - - - - - - - - - - -
Qwen/Qwen3.8-27B:bf16                               - - - - - - - - - - - - - -
Qwen/Qwen3.8-27B:fp8                                - - - - - - 1 - - - - - - -
Qwen/Qwen3.8-27B:nvfp4                              - - 1 - - - - - - - - - - -
deepseek-ai/DeepSeek-R1-Distill-Qwen-7B:bf16        1 1 1 - - - 1 1 b - - - 1 -
deepseek-ai/DeepSeek-R1-0528-Qwen3-8B:bf16          1 1 1 - - - 1 1 b - - - 1 -
meta-llama/Llama-3.1-70B-Instruct:bf16              - - - - - - - - - - - - - -
deepseek-ai/DeepSeek-R1-Distill-Llama-70B:bf16      - - - - - - - - - - - - - -
google/gemma-2-27b-it:bf16                          - - - - - - - - - - - - - -
`

const rows = table
  .trim()
  .split('\n')
  .map((line) => line.split(/\s+/))
  .map(([id = '', ...verdicts]) => ({ id, verdicts }))

const shop = {
  offers: { find: () => null },
  prices: openingPrices({ startPrice: ({ variant }) => variant.startPrice }),
  turns: { count: () => 0 },
}
const variants = new Map(
  everyOffer()
    .filter(({ model }) => model.tokenizer !== 'emulated')
    // Only prices and who is online would come from the rest of a hub.
    .map((offer) => catalogRow(shop as unknown as Parameters<typeof catalogRow>[0], offer))
    .map((variant) => [variant.id, variant]),
)

function variant(id: string): CatalogVariant {
  const found = variants.get(id)
  if (!found) throw new Error(`no ${id} in the catalog`)
  return found
}

const roomy = {
  disk: { path: '/home', totalBytes: 4e12, freeBytes: 2e12 },
  memory: { totalBytes: 64e9, freeBytes: 40e9 },
}

function machineOf(cards: Card[], more: Partial<Survey> = {}): Survey {
  return {
    cards,
    driver: { version: '580.95.05', cuda: '13.0', by: 'nvml', trouble: null },
    ...{ cpu: { name: 'test', cores: 8 }, ...roomy, simulated: false },
    system: { os: 'Linux 6.8', platform: 'linux', arch: 'x64' },
    place: { kind: 'machine', container: false, systemd: true },
    ...more,
  }
}

const reader = [process.execPath, join(import.meta.dirname, '../bin/gpuhost.ts'), 'probe', '--json', '--library']

describe('the table of fits', () => {
  const surveys = new Map<MachineName, Survey>()
  beforeAll(async () => {
    // Nobody waits ten seconds for a driver that never answers.
    const hasty = { ...systemEnv, timer: (_: number, work: () => void) => systemEnv.timer(500, work) }
    for (const name of columns) {
      const env = name === 'hanging driver' ? hasty : systemEnv
      const asked = await askDriver(env, { reader, ...fakeMachine(machines[name]) })
      const { cards, driver: version, cuda, by, trouble } = asked
      surveys.set(name, machineOf(cards, { driver: { version, cuda, by, trouble } }))
    }
  })

  test('has every machine of the kit', () => {
    expect(columns.toSorted()).toEqual((Object.keys(machines) as MachineName[]).toSorted())
  })

  test('has every variant of the catalog', () => {
    expect(rows.map(({ id }) => id).sort()).toEqual([...variants.keys()].sort())
  })

  test.each(rows)('%p', ({ id, verdicts }) => {
    const found = columns.map((name) => {
      const machine = surveys.get(name)
      if (!machine) throw new Error(name)
      const { verdict, gpus } = fit(variant(id), machine)
      return verdict === 'fits' ? String(gpus[0]?.length) : verdict === 'busy' ? 'b' : '-'
    })
    expect(found).toEqual(verdicts)
  })
})

const card = (memoryMib: number, computeCapability: string, uuid: string): Card => ({
  ...plainCard('NVIDIA GeForce RTX 3090', memoryMib * 2 ** 20),
  ...{ computeCapability, uuid, freeBytes: (memoryMib - 500) * 2 ** 20 },
})
const four = [1, 2, 3, 4].map((at) => card(24_576, '8.6', `GPU-${at}`))
const failedOf = (found: ReturnType<typeof fit>) => found.checks.filter(({ ok }) => !ok).map(({ what }) => what)

describe('a fit', () => {
  test('has one engine for each card, or for each group of cards that hold it together', () => {
    expect(fit(variant('Qwen/Qwen3-8B:bf16'), machineOf(four)).gpus).toEqual(four.map(({ uuid }) => [String(uuid)]))
    expect(fit(variant('Qwen/Qwen3-14B:bf16'), machineOf(four)).gpus).toEqual([
      ['GPU-1', 'GPU-2'],
      ['GPU-3', 'GPU-4'],
    ])
    expect(fit(variant('Qwen/Qwen3-32B:bf16'), machineOf(four)).gpus).toEqual([['GPU-1', 'GPU-2', 'GPU-3', 'GPU-4']])
    expect(fit(variant('Qwen/Qwen3-32B:bf16'), machineOf(four.slice(0, 3))).verdict).toBe('no')
  })

  test('never puts unequal cards together', () => {
    const unequal = [card(24_576, '8.6', 'GPU-1'), card(12_288, '8.6', 'GPU-2')]
    expect(failedOf(fit(variant('Qwen/Qwen3-14B:bf16'), machineOf(unequal)))).toEqual(['gpu memory'])
  })

  test('takes the card with the most room first', () => {
    const [first, ...rest] = four
    const screen = { ...first!, freeBytes: 20 * 2 ** 30 }
    expect(fit(variant('Qwen/Qwen3-8B:bf16'), machineOf([screen, ...rest])).gpus[0]).toEqual(['GPU-2'])
  })

  test('that fails says what there is, what it takes, why, and what to do', () => {
    const small = machineOf(four, { disk: { path: '/home', totalBytes: 1e11, freeBytes: 3e10 } })
    const { verdict, checks } = fit(variant('Qwen/Qwen3-8B:bf16'), small)
    expect(verdict).toBe('no')
    expect(checks.filter(({ ok }) => !ok)).toEqual([
      {
        what: 'disk',
        ok: false,
        actual: '30 GB free',
        required: '43 GB free',
        why: expect.any(String),
        remedy: expect.stringContaining('/home'),
      },
    ])
    expect(fit(variant('Qwen/Qwen3-8B:bf16'), small, { downloaded: true }).verdict).toBe('fits')
  })

  test('names the programs that hold the memory it needs', () => {
    const processes = [{ pid: 4_711, kind: 'graphics' as const, name: '/games/witcher3', usedBytes: 9e9 }]
    const playing = { ...four[0]!, freeBytes: 12 * 2 ** 30, processes }
    const found = fit(variant('Qwen/Qwen3-8B:bf16'), machineOf([playing]))
    expect(found.verdict).toBe('busy')
    expect(found.checks.find(({ ok }) => !ok)?.remedy).toContain('witcher3')
  })

  test('with an engine of the owner’s own asks for nothing but memory of the GPU', () => {
    const old = machineOf(four, {
      driver: { version: '470.1', cuda: null, by: 'nvidia-smi', trouble: null },
      disk: { path: '/', totalBytes: 0, freeBytes: 0 },
    })
    expect(fit(variant('Qwen/Qwen3-8B:q4_k_m'), old)).toMatchObject({ verdict: 'fits', engine: 'own' })
  })
})

test.each([
  ['8.9', '8.9', true],
  ['8.10', '8.9', true],
  ['12.0', '8.9', true],
  ['8.6', '8.9', false],
  [null, '7.5', false],
  [null, null, true],
] as const)('compute capability %p reaches %p: %p', (actual, least, reached) => {
  expect(reaches(actual, least)).toBe(reached)
})

/** As their publishers have them: bytes on disk, and what of config.json says how large a token's cache is. */
const shapes: [id: string, weightBytes: number, layers: number, heads: number, size: number][] = [
  ['Qwen/Qwen3-8B:awq', 6.1e9, 36, 8, 128],
  ['Qwen/Qwen3-8B:fp8', 9.43e9, 36, 8, 128],
  ['Qwen/Qwen3-8B:bf16', 16.4e9, 36, 8, 128],
  ['Qwen/Qwen3-14B:awq', 9.96e9, 40, 8, 128],
  ['Qwen/Qwen3-32B:awq', 19.3e9, 64, 8, 128],
  ['Qwen/Qwen2.5-7B-Instruct:awq', 5.58e9, 28, 4, 128],
  ['meta-llama/Llama-3.1-8B-Instruct:awq', 5.73e9, 32, 8, 128],
  ['meta-llama/Llama-3.1-8B-Instruct:fp8', 9.08e9, 32, 8, 128],
]

describe.each(shapes)('%s, where it is said to fit,', (id, weightBytes, layers, heads, size) => {
  test.each([6_144, 8_188, 10_240, 12_282, 16_376, 24_564])('starts with room for requests on %d MiB', (memoryMib) => {
    const ada = { ...card(memoryMib, '8.9', 'GPU-1'), freeBytes: (memoryMib - 290) * 2 ** 20 }
    const { args, contextTokens } = variant(id)
    const config = { num_hidden_layers: layers, num_key_value_heads: heads, num_attention_heads: 32, head_dim: size }
    const flags = () =>
      flagsFor({
        ...{ choice: { variant: id, args, contextTokens }, cards: [ada], weightBytes, config },
        ...{ model: '/weights', socket: '/run/v.sock' },
      })
    if (fit(variant(id), machineOf([ada])).verdict === 'fits')
      expect(flags().contextTokens).toBeGreaterThanOrEqual(4_096)
    // A card that is refused is no larger than the table says.
    else expect(memoryMib / 1_024).toBeLessThanOrEqual(variant(id).minVramGb + 0.5)
  })
})
