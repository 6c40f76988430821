import { expect, test } from 'bun:test'
import { virtualEnv } from '../../sdk/testing.ts'
import { humanLine, logTo } from '../log.ts'
import { LineWatch, type Linked } from './line-watch.ts'

const MINUTE_MS = 60_000
const HUB: Linked = { address: 'wss://hub.example/hosts/link', host: 'host_1' }

function world(againSeconds: number | Error, linked: () => Linked | null = () => HUB) {
  const env = virtualEnv()
  const probes: number[] = []
  const said: string[] = []
  const watch = new LineWatch(
    env,
    logTo(env, (line) => void said.push(line), humanLine),
    async (at) => {
      expect(at).toEqual(HUB)
      probes.push(env.mono())
      if (againSeconds instanceof Error) throw againSeconds
      return { downMbits: 50, upMbits: 10, againSeconds }
    },
    linked,
  )
  return { env, probes, said, watch }
}

test('a line is measured some minutes after the first link, then as rarely as the hub says', async () => {
  const { env, probes, watch } = world(6 * 60 * 60)
  watch.start()
  watch.start()
  await env.advance(MINUTE_MS - 1)
  expect(probes).toEqual([])
  await env.advance(9 * MINUTE_MS + 1)
  expect(probes).toHaveLength(1)
  await env.advance(24 * 60 * MINUTE_MS)
  expect(probes).toHaveLength(4)
  watch.stop()
  expect(env.timers()).toBe(0)
})

test('what goes wrong is logged, and tried again a while later', async () => {
  const { env, probes, said, watch } = world(new Error('the hub is busy'))
  watch.start()
  await env.advance(60 * MINUTE_MS)
  expect(probes.length).toBeGreaterThan(2)
  expect(probes.length).toBeLessThan(6)
  expect(said.join()).toContain('the hub is busy')
})

test('a host that no hub has just now waits', async () => {
  let linked: Linked | null = null
  const { env, probes, watch } = world(60, () => linked)
  watch.start()
  await env.advance(60 * MINUTE_MS)
  expect(probes).toEqual([])
  linked = HUB
  await env.advance(20 * MINUTE_MS)
  expect(probes.length).toBeGreaterThan(1)
})
