import { afterEach, describe, expect, test } from 'bun:test'
import type { Socket } from 'bun'
import { type Env, systemEnv } from '../../sdk/env.ts'
import { freePort } from '../../bin/free-port.ts'
import { until } from '../../sdk/testing.ts'
import type { EngineAsk } from './engine.ts'
import { nameFor } from './inspect.ts'
import { openAiEngine } from './openai.ts'
import { startServer } from './testing.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

function server(options?: Parameters<typeof startServer>[0]) {
  const started = startServer(options)
  closing.push(() => started.close())
  return started
}

function engineAt(url: string, engineModel?: string, env: Env = systemEnv) {
  return openAiEngine({
    env,
    url,
    model: 'Qwen/Qwen3-8B:fp8',
    engineModel,
    slots: 8,
    contextTokens: 2_048,
  })
}

const never = new AbortController().signal
const asking = (body: unknown): EngineAsk => ({
  path: '/v1/chat/completions',
  model: 'Qwen/Qwen3-8B:fp8',
  body: new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body)),
})

describe('an engine that runs already', () => {
  test('is ready after it has made a token, and says what it can do', async () => {
    const fake = server()
    const engine = engineAt(`${fake.url}/v1/`)
    await engine.start(never)
    expect(fake.requests).toMatchObject([
      { path: '/v1/completions', body: { model: 'Qwen/Qwen3-8B', max_tokens: 1, prompt: [100, 200, 300] } },
    ])
    expect(engine.serving()).toEqual([
      {
        model: 'Qwen/Qwen3-8B:fp8',
        engine: { name: 'vllm', version: null },
        contextTokens: 4_096,
        slots: 8,
        tokenIds: true,
      },
    ])
    expect(await engine.alive(never)).toBe(true)
  })

  test('that takes only text, takes ids for text, or only chats, is ready all the same, without token ids', async () => {
    const strict = server({
      models: [{ id: 'local' }],
      complete: (_, body) => (Array.isArray(body.prompt) ? new Response('{}', { status: 400 }) : undefined),
    })
    const naive = server({
      complete: () => Response.json({ choices: [{ text: ' there' }], usage: { prompt_tokens: 9 } }),
    })
    const chatty = server({
      complete: (path) =>
        path === '/v1/completions' ? new Response('no', { status: 404 }) : Response.json({ choices: [{}] }),
    })
    for (const { url } of [strict, naive, chatty]) {
      const engine = engineAt(url)
      await engine.start(never)
      expect(engine.serving()).toMatchObject([{ tokenIds: false, contextTokens: url === strict.url ? 2_048 : 4_096 }])
    }
    expect(chatty.requests.at(-1)?.path).toBe('/v1/chat/completions')
  })

  test('that has less context and fewer slots than its owner thinks is believed', async () => {
    const llama = server({
      models: [{ id: 'qwen.gguf', owned_by: 'llamacpp', meta: { n_ctx: 1_024, n_ctx_train: 40_960 } }],
      props: { total_slots: 4 },
    })
    const engine = engineAt(llama.url)
    await engine.start(never)
    expect(engine.serving()).toMatchObject([{ engine: { name: 'llamacpp' }, contextTokens: 1_024, slots: 4 }])
  })

  test('that completes nothing is not ready, whatever it lists', async () => {
    const fake = server({ complete: () => new Response('{"error":"out of memory"}', { status: 500 }) })
    expect(await engineAt(fake.url).start(never).catch(String)).toContain('completes nothing')
  })

  test('of another kind is told apart', async () => {
    const other = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response('<html>') })
    closing.push(() => other.stop(true))
    expect(await engineAt(other.url.href).start(never).catch(String)).toContain('without a list of models')
  })

  test('that is not there yet is waited for, until the owner has enough', async () => {
    const port = await freePort()
    const url = `http://127.0.0.1:${port}`
    let waits = 0
    const hasty: Env = {
      ...systemEnv,
      timer: (delayMs, work) => systemEnv.timer(delayMs === 1_000 ? (waits++, 20) : delayMs, work),
    }
    const starting = engineAt(url, undefined, hasty).start(never)
    await until('it has been tried twice', () => waits >= 2)
    const second = server({ port })
    await starting
    expect(second.requests.length).toBe(1)
    await second.close()
    const enough = new AbortController()
    const waiting = engineAt(url, undefined, hasty).start(enough.signal)
    const before = waits
    await until('it is tried again', () => waits > before)
    enough.abort()
    expect(await waiting.catch(String)).toContain('Abort')
  })
})

describe('the engine’s name for a model', () => {
  const listed = [{ id: 'a' }, { id: 'b' }]
  test('is the same id, or the one the owner says, or the only one there is', () => {
    expect(nameFor('b', undefined, listed).id).toBe('b')
    expect(nameFor('x', 'a', listed).id).toBe('a')
    expect(nameFor('x', undefined, [{ id: 'only' }]).id).toBe('only')
  })
  test.each([
    ['x', undefined, listed, 'It has: a, b. Say which with --engine-model NAME.'],
    ['x', 'y', [{ id: 'only' }], 'no model "y"'],
    ['x', undefined, [], 'It has none loaded.'],
  ])('is not guessed for %s (%s)', (model, engineModel, among, why) => {
    expect(() => nameFor(model, engineModel, among)).toThrow(why)
  })
})

describe('a request', () => {
  test('reaches the engine under its own name for the model, written anew', async () => {
    const fake = server({ models: [{ id: 'local-name' }] })
    const engine = engineAt(fake.url)
    await engine.start(never)
    const body = '{ "messages": [], "model": "Qwen/Qwen3-8B:fp8", "seed": 7, "model": "sneaky" }'
    const answer = await engine.ask(asking(body), never)
    expect(answer.status).toBe(200)
    expect(await new Response(answer.bytes).json()).toMatchObject({ choices: [{ text: ' there' }] })
    expect(fake.requests.at(-1)).toEqual({
      path: '/v1/chat/completions',
      body: { messages: [], model: 'local-name', seed: 7 },
    })
  })

  test.each([
    ['a list', '[]'],
    ['null', 'null'],
    ['text', '"text"'],
    ['cut', '{'],
    ['no JSON', '\u0000'],
    ['nested beyond measure', '['.repeat(100_000)],
  ])('whose body is %s never reaches it', async (_, body) => {
    const fake = server()
    const engine = engineAt(fake.url)
    await engine.start(never)
    const error = await engine.ask(asking(body), never).catch((problem: unknown) => problem)
    expect(error).toMatchObject({ code: 'bad_body' })
    expect(fake.requests.length).toBe(1)
  })

  test('to any other path is never made', async () => {
    const engine = engineAt('http://127.0.0.1:9')
    const elsewhere = { ...asking({}), path: '/metrics' as EngineAsk['path'] }
    expect(await engine.ask(elsewhere, never).catch((problem: unknown) => problem)).toMatchObject({
      code: 'unknown_path',
    })
  })

  test('that is cancelled is aborted at the engine', async () => {
    const fake = server()
    const engine = engineAt(fake.url)
    await engine.start(never)
    const cancel = new AbortController()
    const answer = await engine.ask(asking({ stream: true }), cancel.signal)
    const reader = answer.bytes.getReader()
    await reader.read()
    cancel.abort()
    await until('the engine sees the abort', () => fake.aborted === 1)
  })

  test('whose answer nobody reads holds the engine back', async () => {
    const fake = server()
    const engine = engineAt(fake.url)
    await engine.start(never)
    const cancel = new AbortController()
    const answer = await engine.ask(asking({ flood: true }), cancel.signal)
    const reader = answer.bytes.getReader()
    await reader.read()
    let before = -1
    // The kernel's buffers fill first; then the engine must stand still.
    await until('the engine stands still', async () => {
      const now = fake.written
      await Bun.sleep(150)
      const still = now === before
      before = fake.written
      return still
    })
    expect(fake.written).toBeLessThan(64 * 1024 * 1024)
    cancel.abort()
  })

  test('cut in the middle is an error, not an end', async () => {
    const sockets: Socket[] = []
    const half = Bun.listen({
      hostname: '127.0.0.1',
      port: 0,
      socket: {
        data(socket, data) {
          sockets.push(socket)
          if (data.includes('GET /v1/models')) {
            const list = '{"data":[{"id":"m"}]}'
            socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${list.length}\r\n\r\n${list}`)
          } else if (data.includes('"stream":true')) {
            socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n')
          } else {
            const done = '{"choices":[{"text":"x"}]}'
            socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${done.length}\r\n\r\n${done}`)
          }
        },
      },
    })
    closing.push(() => half.stop(true))
    const engine = engineAt(`http://127.0.0.1:${half.port}`)
    await engine.start(never)
    const { bytes } = await engine.ask(asking({ stream: true }), never)
    const reader = bytes.getReader()
    expect(new TextDecoder().decode((await reader.read()).value)).toBe('hello')
    for (const socket of sockets) socket.terminate()
    expect(await reader.read().catch(() => 'broken')).toBe('broken')
  })
})
