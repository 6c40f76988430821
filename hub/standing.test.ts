// How a whole hub judges its hosts: real requests, real agents, engines that misbehave.
import { describe, expect, test } from 'bun:test'
import { until } from '../sdk/testing.ts'
import { failuresOf, noFailures } from './fleet/failures.ts'
import { findHost, type ListedHost } from './fleet/list.ts'
import type { Conduct } from '../host/testing.ts'
import { FIRST_BACK_OFF_MS } from './routing/breaker.ts'
import { startHub, type TestHub } from './testing.ts'

async function world(berlin: Partial<Conduct>) {
  const it = await startHub({ credit: { ada: '$10' }, hosts: { berlin, oslo: {}, rome: {} } })
  const asked = () => {
    const { requests, refused } = it.host('berlin').engine.tally
    return requests + refused
  }
  const ask = async (times: number) => {
    for (let i = 0; i < times; i++) expect((await it.as('ada').chat(`question ${i}`)).status).toBe(200)
  }
  return { it, asked, ask }
}

/** What is written about a host, once it is written. */
async function shown(it: TestHub, name: string, written: (host: ListedHost) => boolean) {
  return until('it is written down', async () => {
    await it.env.advance(500)
    const host = await findHost(it.env, it.world.db, it.host(name).id)
    return host && written(host) ? host : null
  })
}

describe('a host whose engine fails', () => {
  test.each<[string, string, Partial<Conduct>]>([
    ['cuts its answers (F-kill)', 'cut', { death: { afterTokens: 3, how: 'eof' } }],
    ['sends garbage (F-garbage)', 'garbage', { garbageAfterTokens: 3 }],
    ['refuses with 500', 'status_500', { refuseStatus: 500 }],
  ])('and %s is asked three times, and then no more until its back-off is over', async (_, code, conduct) => {
    const { it, asked, ask } = await world(conduct)
    await using hub = it
    await ask(30)
    expect(asked()).toBe(3)
    const host = await shown(hub, 'berlin', ({ tripped }) => tripped.length > 0)
    expect(host).toMatchObject({ state: 'tripped', failures: { ...noFailures(), engine: 3 } })
    const failures = await failuresOf(hub.world.db, host.id)
    expect(failures).toHaveLength(3)
    expect(failures[0]).toMatchObject({ class: 'engine', code, attempt: 1, requestId: expect.stringMatching(/^req_/) })
    expect(JSON.stringify(failures)).not.toContain('question')

    hub.host('berlin').engine.set({ death: null, garbageAfterTokens: null, refuseStatus: null })
    await hub.env.advance(FIRST_BACK_OFF_MS)
    await ask(9)
    expect(asked()).toBeGreaterThan(4)
    expect(await shown(hub, 'berlin', ({ tripped }) => tripped.length === 0)).toMatchObject({ state: 'ready' })
  })

  test('on what the client sent is not to blame (F-400)', async () => {
    const { it, asked } = await world({ refuseStatus: 400 })
    await using hub = it
    for (const name of ['oslo', 'rome']) hub.host(name).engine.set({ refuseStatus: 400 })
    for (let i = 0; i < 12; i++) expect((await hub.as('ada').chat('hello')).status).toBe(400)
    expect(asked()).toBeGreaterThan(3)
    const host = await until('it is written down', async () => {
      await hub.env.advance(500)
      const found = await findHost(hub.env, hub.world.db, hub.host('berlin').id)
      return found && found.failures.client > 0 ? found : null
    })
    expect(host).toMatchObject({
      state: 'ready',
      tripped: [],
      failures: { ...noFailures(), client: expect.any(Number) },
    })
  })
})

test('a host that stops in good order gives its requests back, and keeps its standing (F-drain)', async () => {
  const { it } = await world({ hangAfterTokens: 3 })
  await using hub = it
  const berlin = hub.host('berlin')
  const answers = Array.from({ length: 12 }, (_, at) => hub.as('ada').chat(`question ${at}`))
  await until('berlin has begun four answers', () => {
    const begun = berlin.engine.tally.records.filter(({ tokens }) => tokens === 3)
    return begun.length === 4
  })
  berlin.stop('now')
  for (const answer of await Promise.all(answers)) expect(answer.status).toBe(200)
  // A real failure comes after it: once that is written, so is all before it.
  hub.host('oslo').engine.next({ refuseStatus: 500 })
  for (let turn = 0; turn < 2; turn++) expect((await hub.as('ada').chat('go on')).status).toBe(200)
  await shown(hub, 'oslo', ({ failures }) => failures.engine === 1)
  const host = await findHost(hub.env, hub.world.db, berlin.id)
  expect(host).toMatchObject({ state: 'draining', tripped: [], failures: noFailures() })
  expect(await failuresOf(hub.world.db, berlin.id)).toEqual([])
})
