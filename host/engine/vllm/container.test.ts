// The container as it is shipped, in a real Docker engine, with a program inside that tries what it must not be able to do.
import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemEnv } from '../../../sdk/env.ts'
import { HostError } from '../../errors.ts'
import { humanLine, logTo, type Log } from '../../log.ts'
import type { Engine } from '../engine.ts'
import { Docker } from './docker.ts'
import { removeContainers } from './in-container.ts'
import { socketFolder } from './sockets.ts'
import { type DockerServer, REFUSED, startDocker } from './testing/docker.ts'
import { buildVllm, makeWeights } from './testing/program.ts'
import type { Conduct, Seen } from './testing/vllm.ts'
import { vllmEngine } from './vllm.ts'

setDefaultTimeout(60_000)

const MACHINE = 'machine_0123456789abcdefghjkmnpqrs'
const socket = join(socketFolder(MACHINE, 0).path, 'v.sock')

const started = await startDocker()
if ('why' in started) {
  console.error(`\nNOT RUN: every test of the engine's container. ${started.why}`)
  // A kernel that lets none run is not ours to change; that none is installed is.
  if (process.env.CI && !started.why.startsWith(REFUSED))
    test('a Docker engine can be started here', () => expect(started.why).toBe(''))
} else describe('vLLM in a container', () => inDocker(started))

function inDocker(server: DockerServer): void {
  const folder = mkdtempSync(join(tmpdir(), 'container-'))
  const docker = new Docker(systemEnv, server.socket)
  const never = new AbortController().signal
  const running: Engine[] = []
  let image = ''

  beforeAll(async () => {
    image = await server.image(await buildVllm(folder))
  })
  afterEach(async () => {
    for (const engine of running.splice(0)) await engine.stop(AbortSignal.abort())
  })
  afterAll(async () => {
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  function engineWith(conduct: Conduct = {}, log: Log = quiet().log, machine = MACHINE, env = systemEnv) {
    const weightsFolder = makeWeights(join(folder, 'weights'), conduct)
    const engine = vllmEngine({
      ...{ env, log, machine, groups: [[]], access: { reader: ['false'] } },
      choice: {
        variant: 'Qwen/Qwen3-8B',
        weightsFolder,
        gpus: [[]],
        args: ['--reasoning-parser', 'qwen3'],
        contextTokens: 4_096,
      },
      found: { memory: { totalBytes: 4e9, freeBytes: 3e9 }, cpu: { name: 'test', cores: 2 } },
      how: { container: { docker, gpusBy: 'nvidia' }, image },
      sweep: () => removeContainers(docker, machine),
    })
    running.push(engine)
    return engine
  }

  const probe = async (): Promise<Seen> => {
    const response = await fetch('http://engine/probe', { unix: socket })
    return (await response.json()) as Seen
  }

  test('answers through its socket, and what is inside reaches nothing else', async () => {
    const engine = engineWith()
    await engine.start(never)
    expect(engine.serving()).toEqual([
      {
        model: 'Qwen/Qwen3-8B',
        engine: { name: 'vllm', version: '0.31.0' },
        contextTokens: 4_096,
        slots: 8,
        tokenIds: true,
      },
    ])
    const body = new TextEncoder().encode(JSON.stringify({ prompt: 'Hello', max_tokens: 3 }))
    const answer = await engine.ask({ path: '/v1/completions', model: 'Qwen/Qwen3-8B', body }, never)
    expect(answer.status).toBe(200)
    expect(await new Response(answer.bytes).json()).toMatchObject({ usage: { completion_tokens: 3 } })

    const seen = await probe()
    expect(seen.interfaces).toEqual(['lo'])
    expect(seen.internet).not.toBeNull()
    expect(seen.writable.length).toBeGreaterThan(0)
    // Memory all of it, and its own: message queues, too.
    expect(seen.writable.filter(({ filesystem }) => !['tmpfs', 'mqueue'].includes(filesystem))).toEqual([])
    expect(seen.writable.map(({ path }) => path)).not.toContain('/models/m')
    const capabilities = Object.entries(seen.status).filter(([name]) => name.startsWith('Cap'))
    expect(capabilities.length).toBe(5)
    for (const [, bits] of capabilities) expect(bits).toMatch(/^0+$/)
    expect(seen.status).toMatchObject({ NoNewPrivs: '1', Seccomp: '2' })
    expect(seen).toMatchObject({ uid: 2000, gid: 0, becameRoot: false })
    expect(seen.environment).toMatchObject({ HF_HUB_OFFLINE: '1', VLLM_NO_USAGE_STATS: '1', HOME: '/tmp' })
    expect(Object.keys(seen.environment).filter((name) => /TOKEN|KEY|SECRET|GPUHOST/.test(name))).toEqual([])
    expect(seen.devices.filter((name) => /^(sd|vd|nvme|mem|kmem|dri|kvm|fuse)/.test(name))).toEqual([])
    expect(seen.argv).toContain('--uds')
    expect(seen.argv).not.toContain('--port')
  })

  test('is limited in memory, processes and processor as the machine allows', async () => {
    await engineWith().start(never)
    const [id = ''] = await server.containers()
    expect((await docker.processes(id)).length).toBeGreaterThan(1)
    expect(await server.inspect(id)).toMatchObject({
      HostConfig: {
        ...{ NetworkMode: 'none', ReadonlyRootfs: true, CapDrop: ['ALL'], PidsLimit: 4_096, Privileged: false },
        ...{ Memory: 3.2e9, MemorySwap: 3.2e9, NanoCpus: 2e9, PublishAllPorts: false, IpcMode: 'private' },
      },
    })
  })

  test('nothing is left of it after a stop, nor after one by force', async () => {
    const engine = engineWith()
    await engine.start(never)
    expect(await server.containers()).toHaveLength(1)
    await engine.stop(never)
    expect(await server.containers()).toEqual([])
    const stubborn = engineWith({ stubborn: true })
    await stubborn.start(never)
    const force = new AbortController()
    const stopping = stubborn.stop(force.signal)
    force.abort()
    await stopping
    expect(await server.containers()).toEqual([])
  })

  test('what an agent that was killed has left is removed at the next start, and nothing of anybody else’s', async () => {
    await engineWith().start(never)
    const [orphan = ''] = await server.containers()
    running.length = 0
    const other = engineWith({}, quiet().log, 'machine_zzzzzzzzzzzzzzzzzzzzzzzzzz')
    await other.start(never)
    expect(await server.containers()).toHaveLength(2)
    await engineWith().start(never)
    const now = await server.containers()
    expect(now).toHaveLength(2)
    expect(now).not.toContain(orphan)
  })

  test('one that ends while it starts says why in words', async () => {
    const heard = quiet()
    const engine = engineWith(
      { dies: ['RuntimeError: CUDA error: no kernel image is available for execution on the device'] },
      heard.log,
    )
    expect(await said(engine.start(never))).toContain('Choose another variant')
    expect(heard.lines).toContain('the engine is not ready yet  now=loading weights')
    expect(heard.lines.at(-1)).toStartWith('error: the engine ended  cause=wrong_architecture  why=This GPU')
    expect(await server.containers()).toEqual([])
  })

  test('one that dies later is seen, and comes back', async () => {
    // It is not waited for as long as where machines are real.
    const hurried = { ...systemEnv, timer: (ms: number, work: () => void) => systemEnv.timer(ms / 20, work) }
    const engine = engineWith({}, quiet().log, MACHINE, hurried)
    await engine.start(never)
    await fetch('http://engine/die', { unix: socket }).catch(() => {})
    while (engine.serving().length > 0) await Bun.sleep(20)
    expect(await engine.alive(never)).toBe(false)
    await engine.start(never)
    expect(await engine.alive(never)).toBe(true)
  })

  test('a start that is given up leaves nothing', async () => {
    const engine = engineWith({ hangs: true })
    const stop = new AbortController()
    const starting = engine.start(stop.signal).catch((error: unknown) => error)
    while ((await server.containers()).length === 0) await Bun.sleep(20)
    stop.abort()
    await starting
    await engine.stop(never)
    expect(await server.containers()).toEqual([])
  })
}

async function said(work: Promise<unknown>): Promise<string> {
  const error = await work.then(() => undefined).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(HostError)
  return (error as HostError).message
}

function quiet() {
  const lines: string[] = []
  // The clock in front is not what is tested.
  return { lines, log: logTo(systemEnv, (line) => void lines.push(line.trim().slice(10)), humanLine) }
}
