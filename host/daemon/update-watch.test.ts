import { expect, test } from 'bun:test'
import { virtualEnv } from '../../sdk/testing.ts'
import { humanLine, logTo } from '../log.ts'
import { UpdateWatch } from './update-watch.ts'

const MINUTE_MS = 60_000

function world(answer: () => Promise<void> = async () => {}) {
  const env = virtualEnv()
  const did = { installs: [] as number[], prolonged: 0, confirmed: 0, renewed: 0 }
  const said: string[] = []
  const watch = new UpdateWatch(
    env,
    logTo(env, (line) => void said.push(line), humanLine),
    {
      install: () => (did.installs.push(env.mono()), answer()),
      prolong: () => void did.prolonged++,
      confirm: () => void did.confirmed++,
    },
    () => (did.renewed++, true),
  )
  return { env, did, said, watch }
}

test('an agent looks within ten minutes of its first link, then about every hour', async () => {
  const { env, did, watch } = world()
  watch.linked()
  watch.linked()
  await env.advance(10 * MINUTE_MS)
  expect([did.installs.length, did.confirmed]).toEqual([1, 1])
  await env.advance(10 * 75 * MINUTE_MS)
  expect(did.installs.length).toBeGreaterThan(9)
  expect(did.installs.length).toBeLessThan(15)
  watch.stop()
  expect(env.timers()).toBe(0)
})

test('within a minute of a hub’s word, and not before it has proven itself', async () => {
  const { env, did, watch } = world()
  watch.soon()
  await env.advance(MINUTE_MS)
  expect(did.installs).toEqual([])
  watch.linked()
  watch.soon()
  await env.advance(MINUTE_MS)
  expect([did.installs.length, did.renewed]).toEqual([1, 1])
})

test('what goes wrong is logged, and tried again', async () => {
  const { env, did, said, watch } = world(() => Promise.reject(new Error('the hub is away')))
  watch.linked()
  await env.advance(100 * MINUTE_MS)
  expect(did.installs.length).toBeGreaterThan(1)
  expect([did.renewed, said.join()]).toEqual([0, expect.stringContaining('the hub is away')])
})

test('while an engine starts the trial goes on, but not for ever, and not once it runs', async () => {
  const { env, did, watch } = world()
  watch.starting()
  await env.advance(MINUTE_MS)
  expect(did.prolonged).toBeGreaterThan(10)
  const { prolonged } = did
  watch.linking()
  await env.advance(MINUTE_MS)
  expect(did.prolonged).toBe(prolonged)
  const slow = world()
  slow.watch.starting()
  await slow.env.advance(60 * MINUTE_MS)
  expect(slow.did.prolonged).toBeLessThan((31 * MINUTE_MS) / 5_000)
  expect(slow.env.timers()).toBe(0)
})
