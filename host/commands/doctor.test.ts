import { afterAll, afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemEnv } from '../../sdk/env.ts'
import { homeAt } from '../config.ts'
import type { Card } from '../hardware/card.ts'
import { plainCard } from '../hardware/card.ts'
import { checklist } from '../hardware/checklist.ts'
import { gpuContainers } from '../hardware/containers.ts'
import type { Survey } from '../hardware/survey.ts'
import { compiler, fakeMachine, machines, removeMachines, uuidOf } from '../hardware/testing/machines.ts'
import type { Catalog } from '../hub/catalog.ts'
import { endOf, withoutSecrets } from './bundle.ts'
import { diagnose, type Examined } from './doctor.ts'

setDefaultTimeout(60_000)
afterAll(removeMachines)
const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'doctor-'))
  folders.push(folder)
  return folder
}

const card: Card = {
  ...plainCard('NVIDIA GeForce RTX 4090', 24_564 * 2 ** 20),
  ...{ uuid: 'GPU-1', computeCapability: '8.9', freeBytes: 24_000 * 2 ** 20, temperatureCelsius: 41 },
  pcie: { generation: 4, width: 16 },
}
const survey: Survey = {
  cards: [card],
  driver: { version: '580.95.05', cuda: '13.0', by: 'nvml', trouble: null },
  cpu: { name: 'test', cores: 8 },
  memory: { totalBytes: 64e9, freeBytes: 40e9 },
  disk: { path: '/home', totalBytes: 4e12, freeBytes: 2e12 },
  system: { os: 'Linux 6.8', platform: 'linux', arch: 'x64' },
  place: { kind: 'machine', container: false, systemd: true },
  simulated: false,
}
const catalog: Catalog = {
  feePpm: 150_000,
  network: { downMbits: 20, upMbits: 5, roundTripMs: 150 },
  variants: [
    {
      ...{ id: 'Qwen/Qwen3-8B:bf16', model: 'Qwen/Qwen3-8B', name: 'Qwen3 8B', precision: 'bf16', isDefault: true },
      ...{ onOffer: true, whyNot: null, parameters: { total: 8.2e9, active: 8.2e9 }, repo: 'Qwen/Qwen3-8B' },
      ...{ revision: null, weightBytes: 16_381_470_720, minVramGb: 20, minComputeCapability: '8.0' },
      ...{ contextTokens: 32_768, maxOutputTokens: 8_192, args: [], gated: null, license: 'Apache-2.0' },
      ...{ licenseUrl: 'https://example.com', baseModel: null, baseLicense: null, aupUrl: null, attribution: [] },
      ...{ statements: [], terms: null, pricePrompt: '0.02', priceCompletion: '0.10', hostsOnline: 0 },
    },
  ],
}

function world(more: Partial<Examined> = {}): Examined {
  return {
    home: homeAt({ GPUHOST_HOME: newFolder() }),
    survey,
    status: { state: 'stopped' },
    hub: { address: 'https://hub.example', owner: 'berlin@example.com' },
    catalog,
    clockAheadMs: 300,
    line: { downMbits: 100, upMbits: 40, roundTripMs: 20, jitterMs: 1 },
    shelf: [],
    containers: [],
    noContainer: null,
    own: new Set(),
    ...more,
  }
}

const notOk = (examined: Examined) =>
  diagnose(examined)
    .filter(({ level }) => level !== 'ok')
    .map(({ level, what }) => `${level} ${what}`)

const withCard = (change: Partial<Card>): Partial<Examined> => ({
  survey: { ...survey, cards: [{ ...card, ...change }] },
})

describe('the doctor', () => {
  test('finds nothing wrong with a machine that is well', () => {
    expect(notOk(world())).toEqual([])
  })

  const game = { pid: 4_711, kind: 'graphics' as const, name: 'witcher3', usedBytes: 8e9 }
  const rows: [string, Partial<Examined>, string[]][] = [
    ['no GPU', { survey: { ...survey, cards: [] } }, ['failed GPU', 'failed models']],
    [
      'a driver that hangs',
      { survey: { ...survey, cards: [], driver: { version: null, cuda: null, by: null, trouble: 'it hangs' } } },
      ['failed GPU', 'failed models'],
    ],
    [
      'a library that does not work',
      { survey: { ...survey, driver: { ...survey.driver, by: 'nvidia-smi' } } },
      ['warning driver'],
    ],
    [
      'a lost card',
      withCard({ trouble: 'it has fallen off the bus' }),
      ['failed GPU', 'failed GPU-1', 'failed models'],
    ],
    ['a hot card', withCard({ temperatureCelsius: 90 }), ['warning GPU-1']],
    ['a card on a riser', withCard({ pcie: { generation: 3, width: 1 } }), ['warning GPU-1']],
    ['a game on the card', withCard({ processes: [game], freeBytes: 15e9 }), ['warning GPU-1', 'warning models']],
    ['a container with the card', { containers: [{ name: 'comfyui', privileged: false }] }, ['warning containers']],
    ['WSL2', { survey: { ...survey, place: { kind: 'wsl2', container: false, systemd: false } } }, ['warning place']],
    ['no hub', { hub: null, catalog: null, line: null }, ['failed hub']],
    ['a hub that is away', { catalog: new Error('it cannot be reached'), line: null }, ['failed hub']],
    ['a clock that is an hour off', { clockAheadMs: -3_600_000 }, ['failed clock']],
    [
      'a slow line',
      { line: { downMbits: 9, upMbits: 1, roundTripMs: 20, jitterMs: 1 } },
      ['failed download', 'failed upload'],
    ],
    ['a line that could not be measured', { line: new Error('too often') }, ['warning line']],
    ['an agent that hangs', { status: new Error('it does not answer') }, ['failed agent']],
    [
      'half a download',
      {
        shelf: [
          {
            name: 'a--b@000000000000',
            folder: '/',
            manifest: null,
            bytes: 1e9,
            usedAt: 0,
            pinned: false,
            inUse: false,
          },
        ],
      },
      ['warning weights'],
    ],
  ]
  test.each(rows)('sees %s, and says what to do', (_, more, expected) => {
    const examined = world(more)
    expect(notOk(examined)).toEqual(expected)
    for (const { level, remedy } of diagnose(examined)) expect(level === 'ok').toBe(remedy === null)
  })

  test('sees a folder that others may read', () => {
    const examined = world()
    mkdirSync(examined.home.path, { recursive: true })
    chmodSync(examined.home.path, 0o755)
    expect(notOk(examined)).toEqual(['failed folder'])
  })
})

test('a bundle has no token, no address and no name in it', () => {
  const log = [
    '{"level":"warn","message":"refused","token":"gph_Z8MWj1XlfU9mnfgIL70WED"}',
    'authorization: Bearer hf_abcdefghij and gh_1234567890',
    `https://hub.example/first-admin?ticket=ght_secret99&x=1 written by berlin@example.com in ${homedir()}/.gpuhost`,
    `redis://admin:hunter2@10.0.0.1 on ${hostname()}`,
  ].join('\n')
  const clean = withoutSecrets(log)
  for (const secret of ['Z8MWj1', 'abcdefghij', '1234567890', 'secret99', 'berlin@', 'hunter2', homedir(), hostname()])
    expect(clean).not.toContain(secret)
  expect(clean).toContain('"message":"refused"')
})

test('only the end of a long log is read', () => {
  const path = join(newFolder(), 'gpuhost.log')
  writeFileSync(path, `${'x'.repeat(400_000)}\nthe end\n`)
  const end = endOf(path)
  expect(end).toEndWith('the end\n')
  expect(end.length).toBeLessThan(readFileSync(path, 'utf8').length)
  expect(endOf(`${path}.none`)).toBe('')
})

/** Answers as `docker ps` and `docker inspect` do. */
function fakeDocker(containers: object[]): string {
  const path = join(newFolder(), 'docker')
  const ids = containers.map((_, at) => `${at}`.repeat(64)).join('\\n')
  writeFileSync(`${path}.json`, JSON.stringify(containers))
  writeFileSync(path, `#!/bin/sh\nif [ "$1" = ps ]; then printf '${ids}\\n'; else cat '${path}.json'; fi\n`)
  chmodSync(path, 0o755)
  return path
}

test('containers with a GPU are found, and our own is not among them', async () => {
  const docker = fakeDocker([
    { Name: '/comfyui', Config: {}, HostConfig: { DeviceRequests: [{ Capabilities: [['gpu']] }] } },
    { Name: '/ollama', HostConfig: { Runtime: 'nvidia' } },
    { Name: '/portainer', HostConfig: { Privileged: true } },
    { Name: '/jellyfin', HostConfig: { Devices: [{ PathOnHost: '/dev/nvidia0' }] } },
    { Name: '/postgres', HostConfig: { DeviceRequests: null, Devices: [] } },
    { Name: '/gpuhost-1', Config: { Labels: { gpuhost: '1' } }, HostConfig: { DeviceRequests: [{ Driver: 'cdi' }] } },
  ])
  const found = await gpuContainers(systemEnv, docker)
  expect(found.map(({ name }) => name)).toEqual(['comfyui', 'ollama', 'portainer', 'jellyfin'])
  expect(found.filter(({ privileged }) => privileged).map(({ name }) => name)).toEqual(['portainer'])
  expect(await gpuContainers(systemEnv, '/nonexistent/docker')).toEqual([])
})

test('the full checklist of a machine without a GPU says what cannot be seen', async () => {
  const items = await checklist(systemEnv, { reader: ['false'], ...fakeMachine(machines['no GPU']) }, null)
  const unseen = items.filter(({ result }) => result === null).map(({ what }) => what)
  expect(unseen).toContain('the power limit may be set')
  expect(unseen).toContain('speed')
})

test.if(compiler() !== null)(
  'the full checklist compares what the library says with what nvidia-smi says',
  async () => {
    const reader = [process.execPath, join(import.meta.dirname, '../../bin/gpuhost.ts'), 'probe', '--json', '--library']
    const items = await checklist(systemEnv, { reader, ...fakeMachine(machines['two 3090']) }, 'Qwen/Qwen3-8B:awq; …')
    const result = (what: string) => items.find((item) => item.what === what)?.result
    expect(result('both agree')).toBe('yes')
    expect(result('NVML')).toContain(uuidOf(1))
    expect(result('programs on the GPUs')).toBe('none')
    expect(result('looking again and again')).toMatch(/^[\d.]+ ms each$/)
    expect(result('temperature and power now')).toBe(
      Array(2).fill('41 °C, 30 W of 350 W (100 to 400, usually 350)').join('; '),
    )
    expect(result('the power limit may be set')).toBe('yes')
    expect(result('memory that is taken before anything runs')).toBe('476; 476')
    expect(result('speed')).toContain('Qwen3-8B')
  },
)

test.each([
  ['where a container can be started', null, false, ['ok', 'vLLM, in a container']],
  ['on a machine without Docker', 'Docker is not here', false, ['warning', 'vLLM, as a process: Docker is not here']],
  ['in a rented container', 'Docker is not here', true, ['ok', 'vLLM, as a process']],
])('the engine %s', (_, noContainer, container, expected) => {
  const place = { kind: 'machine' as const, container, systemd: false }
  const found = diagnose(world({ noContainer, survey: { ...survey, place } })).find(({ what }) => what === 'engine')
  expect([found?.level, found?.actual]).toEqual(expected)
})

test('an engine of one’s own on the card is no other program', () => {
  const engine = { pid: 4_711, kind: 'compute' as const, name: 'VLLM::EngineCore', usedBytes: 20e9 }
  const busy = { ...survey, cards: [{ ...card, processes: [engine] }] }
  const warned = (own: number[]) =>
    diagnose(world({ survey: busy, own: new Set(own) })).some(
      ({ required }) => required === 'no other program on the GPU',
    )
  expect([warned([]), warned([4_711])]).toEqual([true, false])
})
