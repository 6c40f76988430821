import { expect, test } from 'bun:test'
import { renewedEngine } from './renewed.ts'
import { playedEngine, serving } from './testing.ts'

const never = new AbortController().signal

test('an end that hangs can still be hurried by whoever asks next, and a new engine follows it', async () => {
  const [first, second] = [playedEngine(), playedEngine()]
  const engine = renewedEngine(first, async () => second)
  await engine.start(never)
  first.stops = 'hangs'
  const patient = engine.stop(never)
  await engine.stop(AbortSignal.abort())
  expect(first.stopped).toBe(true)
  expect(await engine.alive(never)).toBe(false)
  expect(engine.serving()).toEqual([serving])
  await engine.start(never)
  expect(await engine.alive(never)).toBe(true)
  expect(second.stopped).toBe(false)
  void patient
})

test('one that is wanted back while it is made is not started', async () => {
  const made = Promise.withResolvers<ReturnType<typeof playedEngine>>()
  const engine = renewedEngine(playedEngine(), () => made.promise)
  await engine.stop(never)
  const stop = new AbortController()
  const starting = engine.start(stop.signal)
  stop.abort()
  made.resolve(playedEngine())
  expect(await starting.catch((error: Error) => error.name)).toBe('AbortError')
  expect(await engine.alive(never)).toBe(false)
})
