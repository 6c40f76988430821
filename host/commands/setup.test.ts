import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addHostToken } from '../../hub/fleet/token.ts'
import { listAcknowledgements } from '../../hub/identity/licences.ts'
import { addUser } from '../../hub/identity/users.ts'
import { systemEnv } from '../../sdk/env.ts'
import { type Benchmark, checkSpeed } from '../benchmark/record.ts'
import { savedChoice } from '../choice.ts'
import { homeAt, makeHome } from '../config.ts'
import { plainCard } from '../hardware/card.ts'
import type { Survey } from '../hardware/survey.ts'
import { type Catalog, readCatalog } from '../hub/catalog.ts'
import type { Member } from '../hub/member.ts'
import { measureLine } from '../hub/network.ts'
import { serveHub } from '../hub/testing.ts'
import { Shelf } from '../weights/shelf.ts'
import { smallRepo, startHuggingFace } from '../weights/testing/hub.ts'
import { setup, type SetupWorld } from './setup.ts'

setDefaultTimeout(60_000)

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

const supposed = { hours: 8, busy: 0.5, kilowattHourUsd: 0.17 }
const machine: Survey = {
  cards: [
    {
      ...plainCard('NVIDIA GeForce RTX 4090', 24_564 * 2 ** 20),
      ...{ uuid: 'GPU-1', computeCapability: '8.9', freeBytes: 24_000 * 2 ** 20 },
    },
  ],
  driver: { version: '580.95.05', cuda: '13.0', by: 'nvml', trouble: null },
  cpu: { name: 'test', cores: 8 },
  memory: { totalBytes: 64e9, freeBytes: 40e9 },
  disk: { path: '/home', totalBytes: 4e12, freeBytes: 2e12 },
  system: { os: 'Linux 6.8', platform: 'linux', arch: 'x64' },
  place: { kind: 'machine', container: false, systemd: true },
  simulated: false,
}

/** A hub with an owner, a HuggingFace, and a machine whose owner gives these answers in turn. */
async function world(answers: (string | null)[] = [], more: Partial<SetupWorld> = {}) {
  const hub = await serveHub()
  cleanups.push(() => hub[Symbol.asyncDispose]())
  const { env, world: database } = hub.world
  const owner = await addUser(env, database.db, { email: 'berlin@example.com', roles: ['host'] })
  const { token } = await addHostToken(env, database.db, { ownerId: owner.id, name: 'berlin' })
  const site = startHuggingFace([smallRepo(300_000)])
  cleanups.push(() => site.close())
  const folder = mkdtempSync(join(tmpdir(), 'setup-'))
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }))
  const home = homeAt({ GPUHOST_HOME: folder })
  makeHome(home)
  const shelf = new Shelf(systemEnv, join(folder, 'weights'))
  const said: string[] = []
  const asked: string[] = []
  const member: Member = { env: systemEnv, hub: hub.url, token, prove: () => null }
  const join_: SetupWorld['join'] = async () => {
    said.push('[joined]')
    return member
  }
  const setupWorld: SetupWorld = {
    home,
    ask: async (question) => {
      asked.push(question)
      return answers.shift() ?? null
    },
    say: (line) => void said.push(line),
    survey: async () => machine,
    catalog: () => readCatalog(systemEnv, hub.url),
    join: join_,
    measure: (by) => measureLine({ ...by, progress: () => {} }),
    downloaded: () => new Set(),
    async download(variant) {
      const source = { env: systemEnv, endpoint: site.url }
      const rest = { bytesPerSecond: null, quotaBytes: null, progress: () => {}, room: () => 1e12 }
      return (await shelf.fetch({ ...rest, variant, source, signal: new AbortController().signal })).folder
    },
    benchmark: async () => null,
    show: (models) => void said.push(`[${models.map(({ id }) => id).join(' ')}]`),
    ...more,
  }
  const run = (settings: { model?: string; yes?: boolean } = {}) =>
    setup({ model: settings.model, yes: settings.yes ?? false, supposed }, setupWorld)
  return { run, said, asked, home, site, member, owner, hub }
}

const failure = (work: Promise<unknown>) =>
  work.catch((error: unknown) => error as { exitCode: number; message: string })

describe('setup', () => {
  test('unattended takes the best model, and leaves what start needs', async () => {
    const { run, home, said } = await world()
    const done = await run({ yes: true })
    expect(done).toMatchObject({ ready: true, model: { id: 'Qwen/Qwen3-8B:bf16', engine: 'vllm' } })
    expect(done.line?.upMbits).toBeGreaterThan(0)
    const choice = savedChoice(home)
    expect(choice).toMatchObject({ variant: 'Qwen/Qwen3-8B:bf16', gpus: [['GPU-1']], contextTokens: 32_768 })
    expect(existsSync(join(choice?.weightsFolder ?? '', 'model.safetensors'))).toBe(true)
    expect(statSync(join(home.path, 'choice.json')).mode & 0o077).toBe(0)
    // What may be earned, and what will run, come before anything joins or is downloaded.
    expect(said[0]).toContain('Qwen/Qwen3-8B:bf16')
    expect(said.indexOf('[joined]')).toBeGreaterThan(said.findIndex((line) => line.startsWith('What will run')))
  })

  test('asks which model, and whether to go on', async () => {
    const { run, asked } = await world(['', 'yes'])
    expect(await run()).toMatchObject({ ready: true })
    expect(asked).toEqual(['Which model? [Qwen/Qwen3-8B:bf16] ', 'Go on? [y/N] '])
  })

  test('that its owner does not want changes nothing', async () => {
    const { run, home, said, site } = await world(['', 'no'])
    expect(await failure(run())).toMatchObject({ exitCode: 1 })
    expect(savedChoice(home)).toBeNull()
    expect(said).not.toContain('[joined]')
    expect(site.served).toEqual([])
  })

  test('with nobody to ask says what to add', async () => {
    const { run } = await world()
    expect(await failure(run())).toMatchObject({ exitCode: 2, message: expect.stringContaining('--yes') })
  })

  test('on a machine without a GPU says what is missing, and joins nothing', async () => {
    const { run, said } = await world([], { survey: async () => ({ ...machine, cards: [] }) })
    expect(await run({ yes: true })).toMatchObject({ ready: false, choice: null })
    expect(said.join('\n')).toContain('gpu: none found; needed: an NVIDIA GPU that works.')
    expect(said).not.toContain('[joined]')
  })

  test('over a line that is too slow downloads nothing', async () => {
    const { run, said, site } = await world([], {
      measure: async () => ({ downMbits: 100, upMbits: 1.5, roundTripMs: 20, jitterMs: 2 }),
    })
    expect(await run({ yes: true, model: 'Qwen/Qwen3-8B' })).toMatchObject({ ready: false })
    expect(said.join('\n')).toContain('upload: 1.5 Mbit/s; needed: 5 Mbit/s.')
    expect(site.served).toEqual([])
  })

  test('measures at its end, and is not ready where the machine is too slow', async () => {
    const measured: Benchmark = {
      ...{
        at: '2026-11-25T12:00:00Z',
        variant: 'Qwen/Qwen3-8B:bf16',
        engine: 'vllm 0.31.0',
        cards: ['x'],
        driver: '580',
      },
      ...{ minTokensPerSecond: 15, firstTokenMs: { median: 90, worst: 120 } },
      speeds: [{ streams: 1, tokensPerSecond: 9, slowest: 9.5 }],
      soak: { seconds: 60, tokensPerSecond: 9, kept: 1, hottestCelsius: 70 },
    }
    const asked: (number | undefined)[] = []
    const { run, said } = await world([], {
      benchmark: async ({ minTokensPerSecond }) => {
        asked.push(minTokensPerSecond)
        return { benchmark: measured, checks: checkSpeed(measured) }
      },
    })
    expect(await run({ yes: true })).toMatchObject({ ready: false, benchmark: { engine: 'vllm 0.31.0' } })
    expect(asked).toEqual([15])
    expect(said.join('\n')).toContain('speed: 9.5 tokens/s for one request alone; needed: 15 tokens/s.')
  })

  test.each([
    ['openai/gpt-oss-20b', 'does not sell'],
    ['Qwen/Nothing', 'not in this hub’s catalog'],
  ])('for %s says that it is not sold', async (model, words) => {
    const { run } = await world()
    expect(await failure(run({ yes: true, model }))).toMatchObject({ message: expect.stringContaining(words) })
  })

  test('for a model that does not fit says why', async () => {
    const { run, said } = await world([], {
      survey: async () => ({ ...machine, cards: [plainCard('Quadro P400', 2e9)] }),
    })
    expect(await run({ yes: true, model: 'Qwen/Qwen3-8B:awq' })).toMatchObject({ ready: false })
    expect(said.join('\n')).toContain('gpu memory: 1.9 GiB; needed: 9 GiB.')
  })
})

describe('a licence that has to be confirmed', () => {
  /** As if this hub could sell it. */
  async function selling(hub: string): Promise<Catalog> {
    const catalog = await readCatalog(systemEnv, hub)
    const variants = catalog.variants.filter(({ id }) => id === 'meta-llama/Llama-3.1-8B-Instruct:bf16')
    return { ...catalog, variants: variants.map((variant) => ({ ...variant, onOffer: true, whyNot: null })) }
  }

  test('is shown statement by statement, and the hub learns who confirmed it', async () => {
    const first = await world()
    const catalog = await selling(first.hub.url)
    const { run, said, owner, hub, asked } = await world(['', 'y', 'y'], {
      catalog: async () => catalog,
      download: async () => '/nowhere',
    })
    expect(await run()).toMatchObject({ ready: true })
    expect(asked.at(-1)).toBe('Do you confirm all of this? [y/N] ')
    expect(said.join('\n')).toContain('700 million monthly active users')
    const confirmed = await listAcknowledgements(hub.world.world.db, owner.id)
    expect(confirmed).toMatchObject([{ model: 'meta-llama/Llama-3.1-8B-Instruct' }])
  })

  test('and is not leaves the hub without a word', async () => {
    const first = await world()
    const catalog = await selling(first.hub.url)
    const { run, owner, hub } = await world(['', 'y', 'n'], { catalog: async () => catalog })
    expect(await failure(run())).toMatchObject({ exitCode: 1 })
    expect(await listAcknowledgements(hub.world.world.db, owner.id)).toEqual([])
  })
})
