// An engine's ends and silences, under a clock that stands still.
import { expect, test } from 'bun:test'
import { virtualEnv } from '../../../sdk/testing.ts'
import { humanLine, logTo } from '../../log.ts'
import { managedEngine } from './managed.ts'
import type { End, Runner } from './runner.ts'

const never = new AbortController().signal
const minute = 60_000

/** An engine that never answers; the test says what it logs and when it ends. */
function world({ pulse = async () => '' } = {}) {
  const env = virtualEnv()
  const log: string[] = []
  const begun: { say: (line: string) => void; end: (end?: Partial<End>) => void; killed: boolean }[] = []
  let cleared = 0
  const runner: Runner = {
    socket: '/nonexistent/v.sock',
    prepare: async () => {},
    clear: async () => void cleared++,
    begin: async (say) => {
      const { promise, resolve } = Promise.withResolvers<End>()
      const one = { say, end: (end = {}) => resolve({ code: 1, outOfMemory: false, ...end }), killed: false }
      begun.push(one)
      return { ended: promise, stop: () => {}, kill: async () => void (one.killed = true) }
    },
  }
  const engine = managedEngine({
    ...{ env, runner, pulse, model: 'Qwen/Qwen3-8B', slots: 8, contextTokens: 4_096 },
    log: logTo(env, (line) => void log.push(line), humanLine),
  })
  const start = () => {
    const state = { words: '' }
    engine.start(never).then(
      () => (state.words = 'ready'),
      (error: Error) => (state.words = error.message),
    )
    return state
  }
  return { env, engine, log, begun, start, cleared: () => cleared }
}

test('one that makes no progress for five minutes is ended, and tried once more', async () => {
  const { env, begun, start } = world()
  const state = start()
  await env.advance(5 * minute - 1_000)
  expect(begun).toHaveLength(1)
  expect(begun[0]?.killed).toBe(false)
  await env.advance(minute)
  expect(begun).toHaveLength(2)
  expect(begun[0]?.killed).toBe(true)
  await env.advance(6 * minute)
  expect(state.words).toContain('made no progress for five minutes')
  expect(begun).toHaveLength(2)
})

test('a line it logs, or memory that fills, is progress', async () => {
  let free = 0
  let filling = false
  const { env, begun, start, engine } = world({ pulse: async () => String(filling ? free++ : free) })
  start()
  await env.advance(1_000)
  for (let at = 0; at < 4; at++) {
    begun[0]?.say('Loading safetensors checkpoint shards:  40% Completed')
    await env.advance(4 * minute)
  }
  expect(engine.starting?.()).toBe('loading weights (40 %)')
  filling = true
  await env.advance(20 * minute)
  expect(begun[0]?.killed).toBe(false)
  filling = false
  await env.advance(6 * minute)
  expect(begun[0]?.killed).toBe(true)
})

test('what will not be better the next time is not tried again', async () => {
  const { env, begun, start } = world()
  const state = start()
  await env.advance(1_000)
  begun[0]?.say('RuntimeError: The NVIDIA driver on your system is too old (found version 12020)')
  begun[0]?.end()
  await env.advance(minute)
  expect(state.words).toContain('580 or newer')
  expect(begun).toHaveLength(1)
})

test('one that ends again and again is waited for longer each time, and left alone after five ends in an hour', async () => {
  const { env, begun, start, log } = world()
  const waits: number[] = []
  let state = start()
  await env.advance(1)
  for (let at = 0; at < 5; at++) {
    begun[at]?.say('torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.')
    begun[at]?.end()
    const endedAt = env.mono()
    await env.advance(1)
    if (state.words !== '') state = start()
    while (begun.length === at + 1 && env.mono() - endedAt < 30 * minute) await env.advance(1_000)
    waits.push(Math.round((env.mono() - endedAt) / 1_000))
  }
  expect(begun).toHaveLength(5)
  expect(waits.slice(0, 4)).toEqual([5, 10, 20, 40])
  expect(state.words).toContain('ended 5 times within an hour and is left alone now. The GPU ran out of memory')
  expect(log.filter((line) => line.includes('cause=gpu_out_of_memory'))).toHaveLength(5)
  await env.advance(60 * minute)
  start()
  await env.advance(minute)
  expect(begun).toHaveLength(6)
})

test('a stop ends one that is still starting, and what it left is cleared', async () => {
  const { env, engine, begun, start, cleared } = world()
  const state = start()
  await env.advance(1_000)
  await engine.stop(AbortSignal.abort())
  await env.advance(1_000)
  expect(begun[0]?.killed).toBe(true)
  expect(cleared()).toBeGreaterThan(1)
  expect(state.words).not.toBe('')
  await env.advance(60 * minute)
  expect(begun).toHaveLength(1)
})
