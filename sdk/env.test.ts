import { describe, expect, test } from 'bun:test'
import { Halt, newId, sleep, systemEnv } from './env.ts'
import { virtualEnv } from './testing.ts'

describe('identifiers', () => {
  test('sort by age and never repeat', async () => {
    const env = virtualEnv()
    const ids: string[] = []
    for (let at = 0; at < 200; at++) {
      ids.push(newId(env, 'req'))
      await env.advance(1)
    }
    expect(ids).toEqual(ids.toSorted())
    expect(new Set(ids).size).toBe(200)
    for (const id of ids) expect(id).toMatch(/^req_[0-9a-hjkmnp-tv-z]{26}$/)
  })

  test('made in the same millisecond still differ', () => {
    const env = virtualEnv()
    expect(newId(env, 'a')).not.toBe(newId(env, 'a'))
  })
})

describe('sleep', () => {
  test('ends when its time has come, not before', async () => {
    const env = virtualEnv()
    let awake = false
    void sleep(env, 100).then(() => (awake = true))
    await env.advance(99)
    expect(awake).toBe(false)
    await env.advance(1)
    expect(awake).toBe(true)
  })

  test('ends at once when it is called off, and leaves no timer behind', async () => {
    const env = virtualEnv()
    const off = new AbortController()
    const asleep = sleep(env, 100, off.signal)
    off.abort()
    await asleep
    await sleep(env, 100, off.signal)
    expect(env.timers()).toBe(0)
  })
})

test('the system’s world: timers fire or are stopped, clocks move, secrets differ', async () => {
  const before = systemEnv.mono()
  const seen: string[] = []
  systemEnv.timer(1, () => seen.push('stopped'))()
  systemEnv.soon(() => seen.push('soon'))
  await new Promise<void>((resolve) => systemEnv.timer(5, resolve))
  expect(seen).toEqual(['soon'])
  expect(systemEnv.mono()).toBeGreaterThan(before)
  const now = [Date.now(), systemEnv.now(), Date.now()]
  expect(now).toEqual(now.toSorted((a, b) => a - b))
  expect(systemEnv.random(16)).not.toEqual(systemEnv.random(16))
})

test('a halt tells each listener once, and whoever comes later that it was', () => {
  const halt = new Halt()
  const heard: string[] = []
  const [first, second] = [() => void heard.push('first'), () => void heard.push('second')]
  halt.addEventListener('abort', first)
  halt.addEventListener('abort', first)
  halt.addEventListener('abort', second)
  halt.removeEventListener('abort', second)
  halt.abort('enough')
  halt.abort('more')
  expect(heard).toEqual(['first'])
  expect([halt.aborted, halt.reason]).toEqual([true, 'enough'])
})
