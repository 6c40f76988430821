// `gpuhost start` after `gpuhost setup`: the program runs the engine itself, here a stand-in for vLLM as a process, on cards
// of a fake driver.
import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Choice, saveChoice } from '../host/choice.ts'
import { homeAt } from '../host/config.ts'
import { release } from '../host/engine/vllm/release.ts'
import { membersOf } from '../host/engine/vllm/session.ts'
import { socketFolder } from '../host/engine/vllm/sockets.ts'
import { buildVllm, makeWeights } from '../host/engine/vllm/testing/program.ts'
import { compiler, fakeMachine, machines, removeMachines, uuidOf } from '../host/hardware/testing/machines.ts'
import { startHub } from '../host/tunnel/testing.ts'
import { until } from '../sdk/testing.ts'

setDefaultTimeout(60_000)
afterAll(removeMachines)

const program = [process.execPath, join(import.meta.dirname, 'gpuhost.ts')]
const requirements = readFileSync(join(import.meta.dirname, '../host/engine/vllm/requirements.txt'))
const lock = createHash('sha256').update(requirements).digest('hex').slice(0, 12)
const cleanups: (() => unknown)[] = []
let stand = ''
const built = mkdtempSync(join(tmpdir(), 'stand-'))

beforeAll(async () => {
  stand = await buildVllm(built)
})
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})
afterAll(() => rmSync(built, { recursive: true, force: true }))

/** A machine with two 3090 that has been set up, one engine each. */
function world(conduct = {}, more: Partial<Choice> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'set-up-'))
  chmodSync(folder, 0o755)
  const home = homeAt({ GPUHOST_HOME: join(folder, 'home') })
  mkdirSync(home.path, { mode: 0o700 })
  const room = join(folder, 'room')
  // As the installer leaves it.
  const packages = join(room, `vllm-${release.version}-${lock}`)
  mkdirSync(join(packages, 'bin'), { recursive: true })
  writeFileSync(join(packages, 'bin', 'python'), `#!/bin/sh\nshift\nexec ${stand} "$@"\n`, { mode: 0o755 })
  writeFileSync(join(packages, 'installed'), '')
  const weightsFolder = makeWeights(join(home.path, 'weights'), conduct)
  const gpus = [[uuidOf(0)], [uuidOf(1)]]
  saveChoice(home, { variant: 'Qwen/Qwen3-8B:bf16', weightsFolder, gpus, args: [], contextTokens: 4_096, ...more })
  const hub = startHub()
  const variables = { GPUHOST_NVML: fakeMachine(machines['two 3090']).library, GPUHOST_ENGINE_ROOM: room }
  const gpuhost = async (...args: string[]) => {
    const child = Bun.spawn([...program, ...args], {
      env: { PATH: process.env.PATH, HOME: folder, GPUHOST_HOME: home.path, GPUHOST_TOKEN: 'secret', ...variables },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
    return { code: await child.exited, stdout, stderr }
  }
  cleanups.push(
    () => rmSync(folder, { recursive: true, force: true }),
    () => hub.close(),
    () => gpuhost('stop', '--now'),
  )
  const engines = () =>
    [0, 1].map((at) => JSON.parse(readFileSync(join(room, `engine-${at}.json`), 'utf8')).pid as number)
  /** What is there of engines, but for their packages. */
  const left = () => {
    const machine = readFileSync(join(home.path, 'machine'), 'utf8')
    const sockets = [0, 1].map((at) => socketFolder(machine, at).path).filter((path) => existsSync(path))
    return [...sockets, ...readdirSync(room).filter((name) => !name.startsWith('vllm-'))]
  }
  return {
    hub,
    gpuhost,
    engines,
    left,
    start: () => gpuhost('start', '--hub', hub.url, '--engine', 'process', '--json'),
  }
}

test.if(compiler() !== null)(
  'start serves what setup chose, one engine a card, and stop --now leaves nothing',
  async () => {
    const { hub, gpuhost, engines, left, start } = world()
    const begun = await start()
    expect(begun).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(begun.stdout)).toMatchObject({
      state: 'serving',
      serving: [{ model: 'Qwen/Qwen3-8B:bf16', engine: { name: 'vllm' }, contextTokens: 4_096 }],
      gpus: [{ name: 'NVIDIA GeForce RTX 3090' }, { name: 'NVIDIA GeForce RTX 3090' }],
    })
    const link = hub.last()
    const body = { model: 'Qwen/Qwen3-8B:bf16', messages: [{ role: 'user', content: 'hi' }], max_tokens: 3 }
    link.ask(1, body, { model: 'Qwen/Qwen3-8B:bf16' })
    await until('the answer has ended', () => link.on(1).end)
    expect(link.on(1).answer?.status).toBe(200)
    expect(engines().map((pid) => membersOf(pid).length)).toEqual([1, 1])
    const before = engines()
    const removal = await gpuhost('weights', 'remove', 'Qwen--Qwen3-8B@0123456789ab')
    expect(removal.stderr).toContain('is in use')
    expect(await gpuhost('stop', '--now')).toMatchObject({ code: 0 })
    expect(before.flatMap(membersOf)).toEqual([])
    expect(left()).toEqual([])
  },
)

test.if(compiler() !== null)('an agent that was killed leaves engines, and the next start ends them', async () => {
  const { gpuhost, engines, left, start } = world({ child: true })
  const first = JSON.parse((await start()).stdout) as { pid: number }
  const before = engines()
  process.kill(first.pid, 'SIGKILL')
  const second = await start()
  expect(second).toMatchObject({ code: 0 })
  expect(before.flatMap(membersOf)).toEqual([])
  const again = engines()
  expect(again.flatMap(membersOf).length).toBeGreaterThan(0)
  // So does a stop, where there is no agent any more to be stopped.
  process.kill((JSON.parse(second.stdout) as { pid: number }).pid, 'SIGKILL')
  expect(await gpuhost('stop')).toMatchObject({ code: 0 })
  expect(again.flatMap(membersOf)).toEqual([])
  expect(left()).toEqual([])
})

test.if(compiler() !== null)('an engine that cannot start fails the start in words', async () => {
  const { start } = world({
    dies: ['RuntimeError: CUDA error: no kernel image is available for execution on the device'],
  })
  const begun = await start()
  expect(begun.code).toBe(1)
  expect(begun.stderr).toContain('Choose another variant')
})

test.if(compiler() !== null)(
  'bench measures all engines together, and a machine that is too slow does not start',
  async () => {
    const { gpuhost, start } = world({}, { minTokensPerSecond: 1_000_000 })
    const bench = await gpuhost('bench', '--engine', 'process', '--soak-seconds', '1', '--json')
    expect(bench.code).toBe(3)
    expect(JSON.parse(bench.stdout)).toMatchObject({
      benchmark: {
        variant: 'Qwen/Qwen3-8B:bf16',
        cards: ['NVIDIA GeForce RTX 3090', 'NVIDIA GeForce RTX 3090'],
        soak: { hottestCelsius: 41 },
      },
      checks: [{ what: 'speed', ok: false }, { what: 'speed under load' }],
    })
    expect(bench.stderr).toContain('speed: ')
    const refused = await start()
    expect(refused.code).toBe(3)
    expect(refused.stderr).toContain('is too slow here')
  },
)
