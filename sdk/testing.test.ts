import { describe, expect, test } from 'bun:test'
import { sleep } from './env.ts'
import { socketPair, virtualEnv } from './testing.ts'

describe('virtual time', () => {
  test('runs timers in order of time, then of age, with the clocks at their moment', async () => {
    const env = virtualEnv({ now: 1_000 })
    const seen: unknown[] = []
    env.timer(20, () => seen.push(['late', env.now(), env.mono()]))
    env.timer(10, () => {
      seen.push(['first', env.now(), env.mono()])
      env.timer(5, () => seen.push(['born inside', env.mono()]))
    })
    env.timer(10, () => seen.push(['second', env.mono()]))
    env.timer(10, () => seen.push('stopped'))()
    await env.advance(19)
    expect(seen).toEqual([
      ['first', 1_010, 10],
      ['second', 10],
      ['born inside', 15],
    ])
    expect([env.mono(), env.now(), env.timers()]).toEqual([19, 1_019, 1])
  })

  test('keeps the wall clock whole while the monotonic one is fractional', async () => {
    const env = virtualEnv({ now: 1_000 })
    env.timer(0.7, () => {})
    await env.advance(0.9)
    expect([env.now(), env.mono()]).toEqual([1_000, 0.9])
  })

  test('lets async work between two timers finish before the second', async () => {
    const env = virtualEnv()
    const seen: string[] = []
    const work = async () => {
      for (let turn = 0; turn < 3; turn++) {
        await sleep(env, 10)
        for (let hop = 0; hop < 50; hop++) await Promise.resolve()
        seen.push(`woke at ${env.mono()}`)
      }
    }
    const done = work()
    await env.advance(30)
    await done
    expect(seen).toEqual(['woke at 10', 'woke at 20', 'woke at 30'])
  })

  test('runs `soon` on flush, with what it schedules, and no time passes', async () => {
    const env = virtualEnv()
    const seen: number[] = []
    env.soon(() => {
      seen.push(1)
      env.soon(() => seen.push(2))
    })
    expect(seen).toEqual([])
    await env.flush()
    expect([seen, env.mono()]).toEqual([[1, 2], 0])
  })

  test('draws the same bytes from the same seed', () => {
    expect(virtualEnv({ seed: 7 }).random(32)).toEqual(virtualEnv({ seed: 7 }).random(32))
    expect(virtualEnv({ seed: 7 }).random(32)).not.toEqual(virtualEnv({ seed: 8 }).random(32))
  })

  test('reports a world that never comes to rest', async () => {
    const env = virtualEnv()
    const again = () => env.soon(again)
    again()
    expect(await env.flush().catch(String)).toContain('never comes to rest')
  })
})

describe('a pair of sockets', () => {
  const opened = (end: ReturnType<typeof socketPair>['left']) => {
    const seen: string[] = []
    end.open({
      message: (bytes) => void seen.push(new TextDecoder().decode(bytes)),
      closed: (code, reason) => void seen.push(`closed ${code} ${reason}`),
    })
    return seen
  }
  const say = (end: ReturnType<typeof socketPair>['left'], text: string) =>
    end.socket.send(new TextEncoder().encode(text))

  test('carries messages in order and says what is under way', async () => {
    const env = virtualEnv()
    const { left, right } = socketPair(env, 50)
    const seen = opened(right)
    say(left, 'a')
    say(left, 'bc')
    expect(left.socket.buffered()).toBe(3)
    await env.advance(49)
    expect(seen).toEqual([])
    await env.advance(1)
    expect(seen).toEqual(['a', 'bc'])
    expect(left.socket.buffered()).toBe(0)
  })

  test('delivers what was sent before a close, then the close to both', async () => {
    const env = virtualEnv()
    const { left, right } = socketPair(env)
    const [here, there] = [opened(left), opened(right)]
    say(left, 'last words')
    left.socket.close(4503, 'bye')
    expect(say(left, 'too late')).toBe(false)
    await env.flush()
    expect(there).toEqual(['last words', 'closed 4503 bye'])
    expect(here).toEqual(['closed 4503 bye'])
  })

  test('a frozen pair delivers nothing and tells nobody; thawed, everything', async () => {
    const env = virtualEnv()
    const pair = socketPair(env)
    const seen = opened(pair.right)
    pair.freeze()
    expect(say(pair.left, 'hello?')).toBe(true)
    await env.advance(60_000)
    expect(seen).toEqual([])
    pair.thaw()
    expect(seen).toEqual(['hello?'])
  })

  test('a cut pair is an abnormal close at both ends, once', async () => {
    const env = virtualEnv()
    const pair = socketPair(env)
    const [here, there] = [opened(pair.left), opened(pair.right)]
    say(pair.left, 'lost')
    pair.cut()
    pair.cut()
    await env.flush()
    expect([here, there]).toEqual([['closed 1006 '], ['closed 1006 ']])
    expect(say(pair.left, 'x')).toBe(false)
  })
})
