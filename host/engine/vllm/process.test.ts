// The engine as a process: who it is, what it knows, and that nothing of it outlives its end.
import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemEnv } from '../../../sdk/env.ts'
import { HostError } from '../../errors.ts'
import type { Engine } from '../engine.ts'
import { ENGINE_USER } from './process.ts'
import { endNoted, membersOf } from './session.ts'
import { socketFolder } from './sockets.ts'
import { buildVllm, makeWeights } from './testing/program.ts'
import type { Conduct, Seen } from './testing/vllm.ts'
import { vllmEngine } from './vllm.ts'

setDefaultTimeout(60_000)

const folder = mkdtempSync(join(tmpdir(), 'process-'))
const room = join(folder, 'room')
const never = new AbortController().signal
const log = { info() {}, warn() {}, error() {} }
const machine = 'machine_01234567890process'
const [socket, otherSocket] = [0, 1].map((engine) => join(socketFolder(machine, engine).path, 'v.sock')) as [
  string,
  string,
]
const root = process.getuid?.() === 0
let program = ''
const running: Engine[] = []

beforeAll(async () => {
  chmodSync(folder, 0o755)
  program = await buildVllm(folder)
})
afterEach(async () => {
  for (const engine of running.splice(0)) await engine.stop(AbortSignal.abort())
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function engineWith(conduct: Conduct = {}, gpus: string[][] = [[]]): Engine {
  const weightsFolder = makeWeights(join(folder, 'weights'), conduct)
  const card = (uuid: string) => ({
    ...{ uuid, name: 'RTX 4090', memoryBytes: 24_564 * 2 ** 20, freeBytes: 24_080 * 2 ** 20, computeCapability: '8.9' },
    ...{
      pcie: { generation: 4, width: 16 },
      powerWatts: { draw: null, limit: 450, usual: 450, least: 100, most: 450 },
      temperatureCelsius: 40,
    },
    ...{ busyPercent: 0, display: false, partOf: null, processes: [], trouble: null },
  })
  const engine = vllmEngine({
    ...{ env: systemEnv, log, machine, access: { reader: ['false'] } },
    choice: { variant: 'Qwen/Qwen3-8B', weightsFolder, gpus, args: [], contextTokens: 4_096 },
    found: { memory: { totalBytes: 4e9, freeBytes: 3e9 }, cpu: { name: 'test', cores: 2 } },
    groups: gpus.map((group) => group.map(card)),
    how: { process: { room, install: async () => [program] } },
    sweep: async () => {},
  })
  running.push(engine)
  return engine
}

async function probe(at = socket): Promise<Seen> {
  return (await (await fetch(`http://engine/probe?walk=${folder}`, { unix: at })).json()) as Seen
}

test('is a user without rights, and knows nothing of the agent’s environment', async () => {
  process.env.HF_TOKEN = 'hf_secret'
  await engineWith()
    .start(never)
    .finally(() => delete process.env.HF_TOKEN)
  const seen = await probe()
  expect(seen).toMatchObject({ becameRoot: false, groups: root ? [] : expect.anything() })
  expect(seen.uid).toBe(root ? ENGINE_USER : process.getuid!())
  expect(seen.status).toMatchObject({ NoNewPrivs: '1', CapEff: '0000000000000000', CapPrm: '0000000000000000' })
  expect(Object.keys(seen.environment).toSorted()).toEqual(
    expect.arrayContaining(['HF_HUB_OFFLINE', 'HOME', 'PATH', 'VLLM_CACHE_ROOT', 'VLLM_NO_USAGE_STATS']),
  )
  expect(JSON.stringify(seen.environment)).not.toContain('hf_secret')
  expect(Object.keys(seen.environment).filter((name) => /TOKEN|KEY|SECRET|GPUHOST/.test(name))).toEqual([])
  // Its own folder is what it may write of this agent's.
  const ours = seen.writable.filter(({ path }) => path.startsWith(folder)).map(({ path }) => path)
  expect(ours.every((path) => path.startsWith(join(room, 'work-0')) || (!root && path.startsWith(folder)))).toBe(true)
})

test('each group of cards has an engine of its own, and a request goes where the fewest are', async () => {
  const engine = engineWith({}, [
    ['GPU-a', 'GPU-b'],
    ['GPU-c', 'GPU-d'],
  ])
  await engine.start(never)
  const [first, second] = [await probe(), await probe(otherSocket)]
  expect(first.environment.CUDA_VISIBLE_DEVICES).toBe('GPU-a,GPU-b')
  expect(second.environment.CUDA_VISIBLE_DEVICES).toBe('GPU-c,GPU-d')
  expect(first.argv).toEqual(
    expect.arrayContaining(['--tensor-parallel-size', '2', '--gpu-memory-utilization', '0.92']),
  )
  expect(engine.serving()).toHaveLength(1)
  expect(engine.serving()[0]).toMatchObject({ slots: 2 * Number(first.argv[first.argv.indexOf('--max-num-seqs') + 1]) })

  const ask = () => {
    const body = new TextEncoder().encode(JSON.stringify({ prompt: 'Hello', max_tokens: 5, stream: true }))
    return engine.ask({ path: '/v1/completions', model: 'Qwen/Qwen3-8B', body }, never)
  }
  const answers = await Promise.all([ask(), ask()])
  await Promise.all(answers.map(({ bytes }) => new Response(bytes).text()))
  // Its first token made for real, and one of these.
  expect(await Promise.all([socket, otherSocket].map(finished))).toEqual([2, 2])
  // One that dies is not asked, and the other goes on.
  await fetch('http://engine/die', { unix: socket }).catch(() => {})
  while (engine.serving()[0]?.slots === 2 * Number(first.argv[first.argv.indexOf('--max-num-seqs') + 1]))
    await Bun.sleep(20)
  expect((await ask()).status).toBe(200)
  expect(await engine.alive(never)).toBe(true)
})

test('all of it ends with it, its children too, and its folders are gone', async () => {
  const engine = engineWith({ child: true, stubborn: true })
  await engine.start(never)
  const { pid } = await probe()
  expect(membersOf(pid).length).toBe(2)
  // As Python leaves it behind where it is killed.
  const shared = '/dev/shm/psm_gpuhost-test'
  writeFileSync(shared, '')
  if (root) chownSync(shared, ENGINE_USER, ENGINE_USER)
  else rmSync(shared)
  await engine.stop(AbortSignal.abort())
  expect(membersOf(pid)).toEqual([])
  expect(existsSync(socket)).toBe(false)
  if (root) expect(existsSync(shared)).toBe(false)
  expect(readdirSync(room)).toEqual([])
})

test('what an agent that was killed has left is found by its note and ended', async () => {
  const engine = engineWith({ child: true })
  await engine.start(never)
  const { pid } = await probe()
  await endNoted(systemEnv, join(room, 'engine-0.json'))
  expect(membersOf(pid)).toEqual([])
  expect(existsSync(join(room, 'engine-0.json'))).toBe(false)
})

test('weights stay where they are on the disk, and closed to all but the engine', async () => {
  await engineWith().start(never)
  const from = join(folder, 'weights', 'Qwen--Qwen3-8B@0123456789ab', 'model.safetensors')
  if (root) {
    const linked = join(room, 'weights-0', 'Qwen--Qwen3-8B@0123456789ab', 'model.safetensors')
    expect(statSync(linked).ino).toBe(statSync(from).ino)
  }
  expect((await probe()).writable.map(({ path }) => path)).not.toContain(join(folder, 'weights'))
})

test('one that cannot start says why', async () => {
  const engine = engineWith({ dies: ['OSError: [Errno 28] No space left on device'] })
  const error = await engine.start(never).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(HostError)
  expect((error as HostError).message).toContain('The disk is full')
})

async function finished(at: string): Promise<number> {
  const text = await (await fetch('http://engine/metrics', { unix: at })).text()
  return Number(/request_success_total\S*"stop"\S* (\d+)/.exec(text)?.[1])
}
