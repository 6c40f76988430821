import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { addHostToken } from '../../hub/fleet/token.ts'
import { addUser } from '../../hub/identity/users.ts'
import { systemEnv } from '../../sdk/env.ts'
import { mostTransferBytes } from '../../sdk/network.ts'
import { until } from '../../sdk/testing.ts'
import { findHost } from '../../hub/fleet/list.ts'
import { probeLine } from './probe.ts'
import { checkLine, measureLine } from './network.ts'
import { serveHub, type ServedHub } from './testing.ts'

setDefaultTimeout(60_000)

async function tokenAt({ world }: ServedHub): Promise<string> {
  const { env, world: database } = world
  const owner = await addUser(env, database.db, { email: 'berlin@example.com', roles: ['host'] })
  return (await addHostToken(env, database.db, { ownerId: owner.id, name: 'berlin' })).token
}

const ask = (hub: ServedHub, token: string, path: string, init: RequestInit = {}) =>
  fetch(`${hub.url}/api/v1/hosts/network${path}`, { ...init, headers: { authorization: `Bearer ${token}` } })

describe('the line to a hub', () => {
  test('is measured both ways', async () => {
    await using hub = await serveHub()
    const told: string[] = []
    const progress = (what: string) => void told.push(what)
    let counted = 0
    const count = (bytes: number) => void (counted += bytes)
    const measuring = { env: systemEnv, hub: hub.url, token: await tokenAt(hub), prove: () => null, progress, count }
    const { downMbits, upMbits, roundTripMs, jitterMs } = await measureLine(measuring)
    // Within one machine; what these are is not for a test to say.
    for (const measured of [downMbits, upMbits]) expect(measured).toBeGreaterThan(0.1)
    for (const measured of [roundTripMs, jitterMs]) expect(measured).toBeGreaterThanOrEqual(0)
    expect(told).toHaveLength(3)
    // At least the first transfer each way.
    expect(counted).toBeGreaterThan(2 * 256 * 1024)
  })

  test('is measured for hosts only, and the hub’s own words say why', async () => {
    await using hub = await serveHub()
    const measuring = { env: systemEnv, hub: hub.url, token: 'gph_wrong', prove: () => null, progress: () => {} }
    const refusal = await measureLine(measuring).catch((error: unknown) => String(error))
    expect(refusal).toContain('host token is not valid')
  })
})

describe('a hub', () => {
  test('sends as many bytes as asked for, and not more than it will', async () => {
    await using hub = await serveHub()
    const token = await tokenAt(hub)
    expect((await (await ask(hub, token, '/bytes?length=100000')).bytes()).length).toBe(100_000)
    expect((await ask(hub, token, `/bytes?length=${mostTransferBytes + 1}`)).status).toBe(400)
    const body = new Uint8Array(300_000)
    expect(await (await ask(hub, token, '/bytes', { method: 'POST', body })).json()).toEqual({ length: 300_000 })
    const tooMuch = new Uint8Array(mostTransferBytes + 1)
    expect((await ask(hub, token, '/bytes', { method: 'POST', body: tooMuch })).status).toBe(413)
  })

  test('lets a few measure at a time, and each so often', async () => {
    await using hub = await serveHub()
    const token = await tokenAt(hub)
    // Uploads that do not end.
    const uploads = [1, 2, 3, 4].map(() => new TransformStream<Uint8Array, Uint8Array>())
    const answers = uploads.map(({ readable }) => ask(hub, token, '/bytes', { method: 'POST', body: readable }))
    await until('no more is taken', async () => (await ask(hub, token, '/bytes?length=1')).status === 503)
    await Promise.all(uploads.map(({ writable }) => writable.close()))
    expect(await Promise.all(answers.map(async (answer) => (await answer).json()))).toEqual(
      Array(4).fill({ length: 0 }),
    )
    expect((await ask(hub, token, '/bytes?length=1')).status).toBe(200)
    const codes = new Set<number>()
    for (let at = 0; at < 40; at++) codes.add((await ask(hub, token, '/bytes?length=1')).status)
    expect(codes).toEqual(new Set([200, 429]))
  })
})

describe('a linked host', () => {
  test('is measured by its hub’s own clock, and only as itself', async () => {
    await using hub = await serveHub({ hosts: { berlin: {}, oslo: {} } })
    const { id, token } = hub.world.host('berlin')
    const member = { env: systemEnv, hub: hub.url, token, prove: () => null }
    // Within one machine, on a clock that stands still: as fast as can be told.
    let counted = 0
    const probed = await probeLine(member, id, new AbortController().signal, (bytes) => void (counted += bytes))
    expect(counted).toBeGreaterThan(100_000)
    expect(probed).toMatchObject({ againSeconds: 6 * 60 * 60 })
    const { db } = hub.world.world
    const shown = async () => (await findHost(hub.world.env, db, id))?.network
    expect(await shown()).toMatchObject({ upMbits: probed.upMbits, downMbits: probed.downMbits, state: 'ok' })
    const other = probeLine(member, hub.world.host('oslo').id, new AbortController().signal)
    expect(await other.catch((error: unknown) => String(error))).toContain('404')
    expect((await ask(hub, token, `/probe?host=${id}`, { method: 'POST', body: new Uint8Array(9) })).status).toBe(400)
  })
})

const least = { downMbits: 20, upMbits: 5, roundTripMs: 150 }
test.each([
  ['a good line', { downMbits: 100, upMbits: 40, roundTripMs: 20, jitterMs: 1 }, []],
  ['just enough', { downMbits: 20, upMbits: 5, roundTripMs: 150, jitterMs: 9 }, []],
  ['a phone', { downMbits: 19.9, upMbits: 4.9, roundTripMs: 151, jitterMs: 80 }, ['download', 'upload', 'round trip']],
])('%s is judged by the hub’s minimum', (_, line, failed: string[]) => {
  const checks = checkLine(line, least)
  expect(checks.filter(({ ok }) => !ok).map(({ what }) => what)).toEqual(failed)
  for (const { ok, remedy } of checks) expect(remedy === null).toBe(ok)
})
