import { describe, expect, test } from 'bun:test'
import { testDialects } from '../../db/testing.ts'
import { findOffer } from '../catalog/find.ts'
import { allow } from '../identity/allowances.ts'
import { HUB_URL, MODEL, startHub, type TestHub } from '../testing.ts'

const OTHER = 'Qwen/Qwen3-8B'
const VARIANT = findOffer(MODEL)!.id
const messages = [{ role: 'user', content: 'hi' }]

async function made(hub: TestHub, models: string[]): Promise<string> {
  const init = { method: 'POST', body: JSON.stringify({ name: 'narrow', models }) }
  const response = await hub.as('ada').fetch('/api/v1/keys', init)
  const { key, models: kept } = (await response.json()) as { key: string; models: string[] }
  expect(kept).toEqual(models)
  return key
}

/** A client of the test hub sends its own key; this one another. */
async function asked({ hub }: TestHub, key: string, path: string, body?: object): Promise<Response> {
  const request = new Request(HUB_URL + path, {
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    ...(body && { method: 'POST', body: JSON.stringify(body) }),
  })
  return (await hub.fetch(request, { timeout() {} } as never))!
}

async function outcome(response: Response) {
  if (response.ok) return response.status
  const { error } = (await response.json()) as { error: { code: string; param: string | null; message: string } }
  return [response.status, error.code, error.param, error.message.includes('GET /v1/models')]
}

const NOT_ALLOWED = [403, 'model_not_allowed', 'model', true]

describe.each(testDialects)('a key for some models on %s', (database) => {
  test('is answered by those under any of their names, and by no other model', async () => {
    await using hub = await startHub({ database, credit: { ada: '$1' }, hosts: { berlin: {} } })
    for (const [models, model, expected] of [
      [[MODEL], MODEL, 200],
      [[MODEL], VARIANT, 200],
      [[VARIANT], MODEL, 200],
      [[OTHER, VARIANT], VARIANT, 200],
      [[OTHER], MODEL, NOT_ALLOWED],
      [[OTHER], VARIANT, NOT_ALLOWED],
      [[MODEL], OTHER, NOT_ALLOWED],
      [[MODEL], 'nope', [404, 'model_not_found', 'model', true]],
    ] as const) {
      const key = await made(hub, [...models])
      const answer = await asked(hub, key, '/v1/chat/completions', { model, messages })
      expect([models, model, await outcome(answer)]).toEqual([models, model, expected as never])
    }
    const key = await made(hub, [OTHER])
    expect(await outcome(await asked(hub, key, '/v1/completions', { model: MODEL, prompt: 'hi' }))).toEqual(NOT_ALLOWED)
  })

  test('sees those in the list of models, and cannot read about another', async () => {
    await using hub = await startHub({ database, credit: { ada: '$1' }, hosts: { berlin: {} } })
    const key = await made(hub, [MODEL])
    const list = async (key: string) => {
      const { data } = (await (await asked(hub, key, '/v1/models')).json()) as { data: { id: string }[] }
      return data.map(({ id }) => id)
    }
    expect(await list(key)).toEqual([MODEL, VARIANT])
    expect(await list(hub.as('ada').key)).toContain(OTHER)
    expect(await outcome(await asked(hub, key, `/v1/models/${VARIANT}`))).toBe(200)
    expect(await outcome(await asked(hub, key, `/v1/models/${OTHER}`))).toEqual(NOT_ALLOWED)
    const acknowledging = asked(hub, key, `/api/v1/models/${encodeURIComponent(OTHER)}/license/acknowledge`, {})
    expect(await outcome(await acknowledging)).toEqual(NOT_ALLOWED)
  })

  test('follows a change within a second, cannot make another key, and may again once nothing limits it', async () => {
    await using hub = await startHub({ database, credit: { ada: '$1' }, hosts: { berlin: {} } })
    const { keyId, key } = hub.as('ada')
    const ask = async () => outcome(await hub.as('ada').chat('hi'))
    const make = async () => outcome(await asked(hub, key, '/api/v1/keys', { name: 'more' }))
    expect(await ask()).toBe(200)
    await allow(hub.world.db, keyId, { models: [OTHER] })
    await hub.env.advance(1_000)
    expect(await ask()).toEqual(NOT_ALLOWED)
    expect(await make()).toEqual([403, 'key_not_allowed', null, false])
    await allow(hub.world.db, keyId, { models: null })
    await hub.env.advance(1_000)
    expect([await ask(), await make()]).toEqual([200, 200])
  })
})

test('a key for what is no list of models is not made', async () => {
  await using hub = await startHub({ credit: { ada: '$1' } })
  for (const [models, said] of [
    [['nope'], 'no model “nope”'],
    [['qwen3-8b'], 'Did you mean Qwen/Qwen3-8B?'],
    [[], 'models'],
    [Array.from({ length: 51 }, () => MODEL), 'models'],
  ] as const) {
    const init = { method: 'POST', body: JSON.stringify({ name: 'narrow', models }) }
    const response = await hub.as('ada').fetch('/api/v1/keys', init)
    const { error } = (await response.json()) as { error: { param: string; message: string } }
    expect([response.status, error.param, error.message]).toEqual([400, 'models', expect.stringContaining(said)])
  }
})
