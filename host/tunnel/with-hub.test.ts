// This end of the wire against the hub's own: what each believes of the other, in one test.
import { expect, test } from 'bun:test'
import { Recorded, testTunnel } from '../../hub/tunnel/testing.ts'
import { playedEngine } from '../engine/testing.ts'
import { humanLine, logTo } from '../log.ts'
import { Offer } from '../offer.ts'
import type { Dial } from './dial.ts'
import { Hubs } from './hubs.ts'
import { identity } from './testing.ts'

const VARIANT = 'Qwen/Qwen3-8B:bf16'
const HOST = 'host_berlin'

async function joined() {
  const tunnel = testTunnel({ knows: (model) => (model.includes(':') ? model : `${model}:bf16`) })
  const { env } = tunnel
  const engine = playedEngine()
  const offer = new Offer(engine)
  const pairs: ReturnType<typeof tunnel.dial>[] = []
  const dial: Dial = (_address, _token, events) => {
    const pair = tunnel.dial('berlin')
    pairs.push(pair)
    env.soon(() => {
      pair.right.open(events)
      events.opened()
    })
    return pair.right.socket
  }
  const ended: string[] = []
  const world = { env, dial, token: 't', identity: { ...identity, machine: 'berlin' }, offer, engineTrouble: () => {} }
  const log = logTo(env, () => {}, humanLine)
  const hubs = new Hubs('ws://hub/hosts/link', world, log, {
    ended: (why) => void ended.push(why),
    linked() {},
    update() {},
  })
  await env.advance(10)
  const ask = (body: object) => {
    const recorded = new Recorded()
    const raw = new TextEncoder().encode(JSON.stringify(body))
    const link = tunnel.links.get(HOST)
    if (!link) throw new Error('not linked')
    const attempt = link.ask({ path: '/v1/chat/completions', model: VARIANT, attempt: 1, body: raw }, recorded)
    recorded.credit = (bytes) => attempt.credit(bytes)
    return Object.assign(recorded, { cancel: () => attempt.cancel() })
  }
  return { tunnel, env, engine, offer, hubs, ended, ask, pair: () => pairs.at(-1), dials: () => pairs.length }
}

test('a bare model id is offered, asked for as its default variant, and answered through many windows', async () => {
  const { tunnel, env, engine, ask } = await joined()
  expect(tunnel.present.get(HOST)).toEqual({ state: 'ready', models: [VARIANT] })
  const answer = ask({ long: 'x'.repeat(600_000) })
  await env.advance(100)
  const [played] = engine.asks
  expect(played?.request).toEqual({ long: 'x'.repeat(600_000) })
  played?.answer()
  for (let at = 0; at < 50; at++) played?.push('12345678'.repeat(1_000))
  played?.end()
  await env.advance(1_000)
  expect(answer).toMatchObject({ statuses: [200], ends: 1, failures: [] })
  expect(answer.text.length).toBe(400_000)
})

test('both keep a quiet link, and both give up one whose cable was pulled', async () => {
  const { tunnel, env, hubs, pair, dials } = await joined()
  await env.advance(300_000)
  expect([dials(), hubs.linked()]).toEqual([1, true])
  pair()?.freeze()
  await env.advance(13_000)
  expect(dials()).toBeGreaterThan(1)
  expect(hubs.linked()).toBe(true)
  expect(tunnel.links.size).toBe(1)
})

test('a cancel of the hub stops the engine; a drain of the owner empties the seat and hands back what runs', async () => {
  const { tunnel, env, engine, offer, hubs, ask } = await joined()
  const [first, second] = [ask({ n: 1 }), ask({ n: 2 })]
  await env.advance(10)
  first.cancel()
  await env.advance(10)
  expect(engine.asks.map(({ signal }) => signal.aborted)).toEqual([true, false])
  offer.hold('owner', 'its owner is stopping it')
  await env.advance(10)
  expect(tunnel.present.get(HOST)).toMatchObject({ state: 'draining' })
  hubs.handBack()
  const closed = hubs.close('the host is stopping')
  await env.advance(10)
  await closed
  expect(second.failures).toMatchObject([{ class: 'host', code: 'refused:draining' }])
  await env.advance(100)
  expect(tunnel.links.size).toBe(0)
})

test('a hub that stops is dialled again; one that revokes the token is not', async () => {
  const { tunnel, env, hubs, dials, ended } = await joined()
  tunnel.links.stop()
  await env.advance(2_000)
  expect([dials(), hubs.linked(), ended]).toEqual([2, true, []])
  tunnel.links.revoke(new Set(['token_berlin']))
  await env.advance(60_000)
  expect(dials()).toBe(2)
  expect(ended).toEqual(['The token of this host was revoked. Run `gpuhost login`.'])
})
