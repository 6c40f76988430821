import { describe, expect, test } from 'bun:test'
import { plainCard } from '../hardware/card.ts'
import type { Survey } from '../hardware/survey.ts'
import { readCatalog } from '../hub/catalog.ts'
import { serveHub } from '../hub/testing.ts'
import { systemEnv } from '../../sdk/env.ts'
import { fittedModels, modelRow, type Supposed } from './models.ts'

const night: Supposed = { hours: 8, busy: 0.5, kilowattHourUsd: 0.17 }
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

/** The hub's own answer, over HTTP. */
async function catalogOf(run: (hub: string) => Promise<void>) {
  await using hub = await serveHub()
  await run(hub.url)
}

describe('the models of a machine', () => {
  test('are those of the hub’s catalog, those that fit first and the best of them on top', async () => {
    await catalogOf(async (hub) => {
      const catalog = await readCatalog(systemEnv, hub)
      const models = fittedModels(catalog, machine, night)
      expect(models).toHaveLength(catalog.variants.length)
      const fits = models.filter(({ verdict }) => verdict === 'fits')
      expect(models.slice(0, fits.length)).toEqual(fits)
      const nets = fits.map((model) => model.night?.net ?? 0)
      expect(nets).toEqual([...nets].sort((a, b) => b - a))
      // 1800 tokens/s · 8 h · half the time · $0.10 · 85 % − (0.5 · 350 W + 70 W) · 8 h · $0.17
      const qwen = models.find(({ id }) => id === 'Qwen/Qwen3-8B:bf16')
      expect(qwen).toMatchObject({ tokensPerSecond: 1_800, published: true, onOffer: true, gpus: [['GPU-1']] })
      expect(qwen?.night?.net).toBeCloseTo(1.87, 2)
      expect(qwen && modelRow(qwen)).toEqual([
        ...['Qwen/Qwen3-8B:bf16', 'yes', '1800', '$1.87', '0', '16.4 GB', 'Apache-2.0'],
      ])
    })
  })

  test('say what speed nobody has measured, and why what does not fit does not', async () => {
    await catalogOf(async (hub) => {
      const catalog = await readCatalog(systemEnv, hub)
      const models = new Map(fittedModels(catalog, machine, night).map((model) => [model.id, model]))
      expect(modelRow(models.get('openai/gpt-oss-20b:mxfp4')!)[2]).toMatch(/^~\d+$/)
      expect(modelRow(models.get('Qwen/Qwen3-32B:bf16')!)[1]).toBe('no: gpu memory')
      expect(models.get('Qwen/Qwen3-32B:bf16')?.night).toBeNull()
      expect(models.get('google/gemma-4-12B-it:int4')).toMatchObject({ verdict: 'fits', onOffer: false })
    })
  })

  test('with weights that are here take no room for them', async () => {
    await catalogOf(async (hub) => {
      const catalog = await readCatalog(systemEnv, hub)
      const full = { ...machine, disk: { path: '/home', totalBytes: 1e11, freeBytes: 1e9 } }
      const [best] = fittedModels(catalog, full, night, new Set(['Qwen/Qwen3-8B:bf16'])).filter(
        ({ engine }) => engine === 'vllm',
      )
      expect(best).toMatchObject({ id: 'Qwen/Qwen3-8B:bf16', verdict: 'fits', downloaded: true })
    })
  })
})

test('a hub that is none is said to be none', async () => {
  const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response('<html>hello</html>') })
  const error = await readCatalog(systemEnv, server.url.origin).catch((problem: unknown) => problem)
  expect(String(error)).toContain('Is it a gpuhub?')
  await server.stop(true)
  const gone = await readCatalog(systemEnv, server.url.origin).catch((problem: unknown) => problem)
  expect(String(gone)).toContain('cannot be reached')
})
