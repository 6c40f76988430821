// vLLM itself, run by the agent as a process: started, asked, measured, left in the middle of an answer, ended.
import { afterAll, expect, setDefaultTimeout, test } from 'bun:test'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { measure } from '../host/benchmark/measure.ts'
import { membersOf } from '../host/engine/vllm/session.ts'
import { vllmEngine } from '../host/engine/vllm/vllm.ts'
import { humanLine, logTo } from '../host/log.ts'
import { systemEnv } from '../sdk/env.ts'
import { until } from '../sdk/testing.ts'
import { installEngine } from './engine.ts'
import { served } from './recipe.ts'
import { writeSafetensors } from './safetensors.ts'

setDefaultTimeout(600_000)

const folder = mkdtempSync(join(tmpdir(), 'managed-'))
chmodSync(folder, 0o755)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const model = 'Qwen/Qwen3-8B'
const room = join(folder, 'room')

/** The build for processors has another name, and arithmetic of its own. */
async function program(): Promise<string> {
  const python = await installEngine('vllm')
  const path = join(folder, 'vllm')
  const arithmetic = '--dtype float32 --enforce-eager --kv-cache-memory-bytes 256M --seed 1'
  const lines = [
    '#!/bin/sh',
    'export OMP_NUM_THREADS=1 VLLM_CPU_OMP_THREADS_BIND=nobind TORCHDYNAMO_DISABLE=1',
    'shift; model=$1; shift',
    `exec nice ${python} -m vllm.entrypoints.openai.api_server --model "$model" ${arithmetic} "$@"`,
  ]
  writeFileSync(path, `${lines.join('\n')}\n`, { mode: 0o755 })
  return path
}

test('vLLM as a process of the agent', async () => {
  const weightsFolder = join(folder, 'weights', 'Qwen--Qwen3-8B@0123456789ab')
  mkdirSync(weightsFolder, { recursive: true })
  writeSafetensors(weightsFolder)
  const log: string[] = []
  const command = await program()
  const engine = vllmEngine({
    ...{ env: systemEnv, machine: 'machine_0000000managed', groups: [[]], access: { reader: ['false'] } },
    log: logTo(systemEnv, (line) => void log.push(line.trim()), humanLine),
    choice: {
      ...{ variant: model, weightsFolder, gpus: [[]], contextTokens: served.contextTokens },
      args: ['--enable-auto-tool-choice', '--tool-call-parser', 'hermes', '--reasoning-parser', 'qwen3'],
    },
    found: { memory: { totalBytes: 8e9, freeBytes: 4e9 }, cpu: { name: 'test', cores: 2 } },
    how: { process: { room, install: async () => [command] } },
    sweep: async () => {},
  })
  const never = new AbortController().signal
  const ask = (request: object, signal = never) => {
    const body = new TextEncoder().encode(JSON.stringify({ prompt: 'Hello', ...request }))
    return engine.ask({ path: '/v1/completions', model, body }, signal)
  }
  try {
    await engine.start(never)
    expect(engine.serving()).toMatchObject([
      { model, engine: { name: 'vllm' }, contextTokens: served.contextTokens, tokenIds: true },
    ])
    const answer = await ask({ max_tokens: 5, ignore_eos: true })
    expect(await new Response(answer.bytes).json()).toMatchObject({ usage: { completion_tokens: 5 } })
    const leaving = new AbortController()
    const left = await ask({ max_tokens: 1_500, ignore_eos: true, stream: true }, leaving.signal)
    const reader = left.bytes.getReader()
    await reader.read()
    leaving.abort()
    await reader.read().catch(() => {})
    expect(await engine.alive(never)).toBe(true)
    const measured = await measure({
      ...{ env: systemEnv, engine, model, soakSeconds: 1, signal: never },
      ...{ cards: async () => ({ celsius: null, watts: null }), progress: () => {} },
    })
    console.error(JSON.stringify(measured))
    expect(measured.speeds.map(({ streams }) => streams)).toEqual([1, 4, served.slots])
    for (const { slowest } of measured.speeds) expect(slowest).toBeGreaterThan(0)
  } finally {
    console.error(log.join('\n'))
    const noted = readdirSync(room).includes('engine-0.json')
    const pid = noted ? (JSON.parse(readFileSync(join(room, 'engine-0.json'), 'utf8')).pid as number) : 0
    const before = membersOf(pid).length
    await engine.stop(never)
    if (noted) expect(before).toBeGreaterThan(1)
    await until('nothing is left of it', () => membersOf(pid).length === 0)
  }
  expect(log.some((line) => line.includes('now=loading weights'))).toBe(true)
})
