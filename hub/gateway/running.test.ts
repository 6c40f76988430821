import { describe, expect, test } from 'bun:test'
import { virtualEnv } from '../../sdk/testing.ts'
import type { HubError } from '../errors.ts'
import { Cancelled } from './attempts.ts'
import { type Leave, Running, type RunningLimits } from './running.ts'

/** A hub whose one model has `slots` slots, and clients that come and go by name. */
function world(slots: number, limits: Partial<RunningLimits> = {}) {
  const env = virtualEnv()
  const state = { slots }
  const running = new Running(env, {
    ...{ total: 1_000, loadFactor: 2, queueFactor: 0.5, queueMs: 15_000 },
    slots: () => state.slots,
    ...limits,
  })
  const order: string[] = []
  const places = new Map<string, Leave[]>()
  let ids = 0

  /** One request of `who`, with `key` if it is not their usual one: `in`, `waits`, or the code of the refusal. */
  const ask = async (
    who: string,
    more: { key?: string; bytes?: number; concurrency?: number; variant?: string } = {},
  ) => {
    const leaving = new AbortController()
    const name = more.key ?? who
    const request = {
      ...{ id: `req_${ids++}`, at: 0, userId: who, keyId: name, bytes: more.bytes ?? 1 },
      ...{ variant: more.variant ?? 'model', concurrency: { key: more.concurrency ?? null, account: null } },
    }
    let outcome: string | HubError = 'waits'
    const entering = (async () => running.enter(request, leaving))().then(
      (leave) => {
        outcome = 'in'
        order.push(name)
        places.set(name, [...(places.get(name) ?? []), leave])
      },
      (error: HubError) => {
        outcome = error
      },
    )
    await env.flush()
    return {
      get is() {
        return typeof outcome === 'string' ? outcome : outcome instanceof Cancelled ? 'gone' : outcome.code
      },
      get error() {
        return outcome as HubError
      },
      hangUp: () => leaving.abort(),
      entering,
    }
  }
  const askMany = async (count: number, who: string, more: Parameters<typeof ask>[1] = {}) => {
    const all = []
    for (let at = 0; at < count; at++) all.push(await ask(who, more))
    return all
  }
  /** The oldest request of `who` ends. */
  const end = async (who: string) => {
    places.get(who)?.shift()?.()
    await env.flush()
  }
  const count = (all: { is: string }[]) => {
    const counts: Record<string, number> = {}
    for (const { is } of all) counts[is] = (counts[is] ?? 0) + 1
    return counts
  }
  return { env, state, running, order, ask, askMany, end, count }
}

describe('when all hosts are busy', () => {
  test('requests go on up to the stated bound, then wait, then are refused at once with a time to come back', async () => {
    const { askMany, count, running } = world(64)
    const ada = await askMany(200, 'ada')
    // 128 places of which one account may have 96, and 32 that wait.
    expect(count(ada)).toEqual({ in: 96, waits: 32, no_capacity: 72 })
    expect([running.size, running.queued]).toEqual([96, 32])
    for (const { is, error } of ada) {
      if (is !== 'no_capacity') continue
      expect(error.status).toBe(503)
      expect(error.retryAfterSeconds).toBeGreaterThanOrEqual(1)
      expect(error.retryAfterSeconds).toBeLessThanOrEqual(10)
    }
    expect(new Set(ada.slice(128).map(({ error }) => error.retryAfterSeconds)).size).toBeGreaterThan(1)
  })

  test('what could neither run nor wait is told before any work is done for it', async () => {
    const { askMany, running, ask } = world(8)
    const refused = (userId: string) => {
      try {
        running.assertRoom({ variant: 'model', userId })
        return null
      } catch (error) {
        return (error as HubError).code
      }
    }
    expect(refused('crowd')).toBeNull()
    await askMany(19, 'crowd')
    expect(refused('crowd')).toBeNull()
    await ask('crowd')
    // Full for them; not for somebody who would get a place, or be made way for.
    expect([refused('crowd'), refused('ada')]).toEqual(['no_capacity', null])
    await askMany(4, 'ada')
    expect([refused('crowd'), refused('ada')]).toEqual(['no_capacity', null])
  })

  test('a lone client has all the slots, however many', async () => {
    const { askMany, count } = world(500, { loadFactor: 1 })
    expect(count(await askMany(500, 'ada'))).toEqual({ in: 500 })
  })

  test('those that wait enter in the order they came', async () => {
    const { ask, askMany, end, running } = world(1)
    await askMany(1, 'ada')
    const waiting = await askMany(3, 'ada')
    for (const [at, next] of waiting.entries()) {
      expect(next.is).toBe('waits')
      await end('ada')
      expect(waiting.map(({ is }) => is)).toEqual(waiting.map((_, other) => (other <= at ? 'in' : 'waits')))
    }
    expect((await ask('ada')).is).toBe('waits')
    expect([running.size, running.queued]).toEqual([1, 1])
  })

  test('whoever hangs up waits no longer, and the next one comes', async () => {
    const { askMany, end, running, env } = world(1)
    await askMany(1, 'ada')
    const [first, second] = await askMany(2, 'ada')
    first!.hangUp()
    await env.flush()
    expect([first!.is, running.queued]).toEqual(['gone', 1])
    await end('ada')
    expect([first!.is, second!.is]).toEqual(['gone', 'in'])
  })

  test('a client that had hung up before never waits', async () => {
    const { running } = world(0, { slots: () => 1 })
    const request = (id: string) => ({
      ...{ id, at: 0, userId: 'ada', keyId: 'ada', variant: 'model', bytes: 1 },
      concurrency: { key: null, account: null },
    })
    void running.enter(request('req_1'), new AbortController())
    const gone = Promise.resolve(running.enter(request('req_2'), { signal: AbortSignal.abort() }))
    expect(await gone.catch((error: unknown) => error)).toBeInstanceOf(Cancelled)
    expect(running.queued).toBe(0)
  })

  test('nobody waits longer than they may', async () => {
    const { askMany, env, running, end } = world(1)
    await askMany(1, 'ada')
    const [waiting] = await askMany(1, 'ada')
    await env.advance(14_999)
    expect(waiting!.is).toBe('waits')
    await env.advance(1)
    expect([waiting!.is, running.queued]).toEqual(['no_capacity', 0])
    await end('ada')
    expect([running.size, env.timers()]).toEqual([0, 0])
  })

  test('a host that comes takes those that wait', async () => {
    const { askMany, count, state, running, env } = world(2)
    const all = await askMany(10, 'ada')
    expect(count(all)).toEqual({ in: 3, waits: 7 })
    state.slots = 6
    running.grown('model')
    await env.flush()
    expect(count(all)).toEqual({ in: 9, waits: 1 })
  })

  test('with the last host gone nobody enters and nobody new waits', async () => {
    const { askMany, ask, count, state, end } = world(1)
    const all = await askMany(2, 'ada')
    state.slots = 0
    await end('ada')
    expect(count(all)).toEqual({ in: 1, waits: 1 })
    expect((await ask('bob')).is).toBe('no_capacity')
  })

  test('bodies that wait take no more memory than they may', async () => {
    const { askMany, count } = world(64)
    await askMany(96, 'ada')
    expect(count(await askMany(20, 'ada', { bytes: 4 * 1024 * 1024 }))).toEqual({ waits: 16, no_capacity: 4 })
  })

  test('another model is not busy', async () => {
    const { askMany, ask } = world(1)
    await askMany(20, 'ada')
    expect((await ask('ada', { variant: 'other' })).is).toBe('in')
  })
})

describe('a client with very many requests', () => {
  test('leaves places to one with few, who enters at once', async () => {
    const { askMany, count } = world(64)
    await askMany(1_000, 'crowd')
    expect(count(await askMany(30, 'ada'))).toEqual({ in: 30 })
  })

  test('cannot fill the waiting room: whoever has far fewer takes its youngest’s place', async () => {
    const { askMany, count, ask } = world(8)
    const crowd = await askMany(100, 'crowd')
    expect(count(crowd)).toEqual({ in: 12, waits: 8, no_capacity: 80 })
    const ada = await askMany(6, 'ada')
    expect(count(ada)).toEqual({ in: 4, waits: 2 })
    expect(count(crowd)).toEqual({ in: 12, waits: 6, no_capacity: 82 })
    expect(crowd.slice(12, 20).map(({ is }) => is)).toEqual([...Array(6).fill('waits'), 'no_capacity', 'no_capacity'])
    expect((await ask('crowd')).is).toBe('no_capacity')
  })

  test('gets places that become free only after those with fewer', async () => {
    const { askMany, end, order } = world(8)
    await askMany(100, 'crowd')
    await askMany(5, 'ada')
    await askMany(3, 'bob')
    order.length = 0
    for (let at = 0; at < 8; at++) await end('crowd')
    expect(order.slice(0, 4)).toEqual(['bob', 'bob', 'bob', 'ada'])
    expect(order.slice(4)).toEqual(Array(order.length - 4).fill('crowd'))
  })

  test('shares evenly once everybody has as much', async () => {
    const { askMany, end, running } = world(16)
    const everybody = ['ada', 'bob', 'cid', 'dot']
    for (let round = 0; round < 20; round++) {
      for (const who of everybody) await askMany(40, who)
      for (const who of everybody) await end(who)
    }
    expect(everybody.map((who) => running.of(who).length)).toEqual([8, 8, 8, 8])
  })

  test('has all its keys served, not only the one that floods', async () => {
    const { askMany, ask, end, order } = world(4)
    await askMany(20, 'ada', { key: 'batch' })
    const [quick] = await askMany(1, 'ada', { key: 'site' })
    expect(quick!.is).toBe('no_capacity')
    await end('batch')
    const again = await ask('ada', { key: 'site' })
    order.length = 0
    await end('batch')
    await end('batch')
    expect(again.is).toBe('in')
    expect(order[0]).toBe('site')
  })

  test('cannot fill a whole hub, whatever its models have room for', async () => {
    const { askMany, count } = world(1_000, { total: 100 })
    expect(count(await askMany(95, 'crowd'))).toEqual({ in: 90, waits: 5 })
    expect(count(await askMany(15, 'ada', { variant: 'other' }))).toEqual({ in: 10, waits: 5 })
  })

  test('a hub that was full goes on with every model', async () => {
    const { askMany, count, end } = world(1_000, { total: 10 })
    await askMany(9, 'crowd')
    await askMany(1, 'bob')
    const other = await askMany(2, 'ada', { variant: 'other' })
    expect(count(other)).toEqual({ waits: 2 })
    await end('crowd')
    await end('bob')
    expect(count(other)).toEqual({ in: 2 })
  })
})

describe('a limit on requests in progress', () => {
  test('counts those that wait, and is told apart from an overload', async () => {
    const { askMany, count, end, ask } = world(1)
    expect(count(await askMany(5, 'ada', { concurrency: 2 }))).toEqual({ in: 1, waits: 1, rate_limit_exceeded: 3 })
    await end('ada')
    expect((await ask('ada', { concurrency: 2 })).is).toBe('waits')
    expect((await ask('bob', { concurrency: 2 })).is).toBe('in')
  })
})

test('a hub that stops refuses those that wait, and knows when the last one left', async () => {
  const { askMany, ask, end, running, count } = world(1)
  const all = await askMany(3, 'ada')
  running.close()
  let empty = false
  void running.empty().then(() => (empty = true))
  await end('nobody')
  expect(count(all)).toEqual({ in: 1, hub_unavailable: 2 })
  expect((await ask('bob')).is).toBe('hub_unavailable')
  expect(empty).toBe(false)
  await end('ada')
  expect(empty).toBe(true)
})

test('ten thousand requests that come and go leave nothing behind', async () => {
  const { env, running, ask, end } = world(4)
  for (let at = 0; at < 2_000; at++) {
    const who = `client${at % 50}`
    const one = await ask(who)
    if (one.is === 'in' && at % 3 === 0) await end(who)
    if (one.is === 'waits' && at % 2 === 0) one.hangUp()
  }
  for (let at = 0; at < 50; at++) for (let left = 0; left < 200; left++) await end(`client${at}`)
  expect([running.size, running.queued, env.timers()]).toEqual([0, 0, 0])
})
