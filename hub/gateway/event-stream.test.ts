import { expect, test } from 'bun:test'
import { systemEnv } from '../../sdk/env.ts'
import { EventStream } from './event-stream.ts'

const options = { env: systemEnv, stallMs: 60_000, ending() {} }

test('what was written before the client began to read is given back as taken once it reads', async () => {
  const stream = new EventStream<never>(() => {}, options)
  let taken = 0
  stream.event({ n: 1 })
  stream.flush()
  stream.whenTaken(() => taken++)
  expect(taken).toBe(0)

  const text = new Response(stream.body).text()
  await Bun.sleep(0)
  expect(taken).toBe(1)
  expect(await stream.end()).toBe(true)
  expect(await text).toBe('data: {"n":1}\n\ndata: [DONE]\n\n')
})

test('events that come together leave together', async () => {
  const stream = new EventStream<never>(() => {}, options)
  const reader = stream.body.getReader() as ReadableStreamDefaultReader<Uint8Array>
  const first = reader.read()
  await Bun.sleep(0)
  for (const n of [1, 2, 3]) {
    stream.event({ n })
    stream.flushSoon()
  }
  const { value } = await first
  expect(new TextDecoder().decode(value)).toBe('data: {"n":1}\n\ndata: {"n":2}\n\ndata: {"n":3}\n\n')
})
