import { expect, test } from 'bun:test'
import { virtualEnv } from '../../sdk/testing.ts'
import { humanLine, logTo } from '../log.ts'
import { Offer } from '../offer.ts'
import { playedEngine } from './testing.ts'
import { EngineWatch } from './watch.ts'

function watched() {
  const env = virtualEnv()
  const engine = playedEngine()
  const offer = new Offer(engine)
  const log: string[] = []
  const write = logTo(env, (line) => void log.push(line), humanLine)
  return { env, engine, offer, log, watch: new EngineWatch(env, write, engine, offer) }
}

test('an engine that died is sent nothing, and is used again once it has completed something', async () => {
  const { env, engine, offer, log } = watched()
  await env.advance(60_000)
  expect(offer.state()).toBe('ready')
  engine.well = false
  await env.advance(20_000)
  expect(offer.whyIdle()).toBe('the engine does not answer')
  engine.well = true
  await env.advance(3_000)
  expect(offer.state()).toBe('ready')
  expect(log.length).toBe(2)
})

test('one missed look is forgiven: a busy engine may be slow', async () => {
  const { env, engine, offer } = watched()
  engine.well = false
  await env.advance(15_000)
  engine.well = true
  await env.advance(60_000)
  expect(offer.state()).toBe('ready')
})

test('a failed request has it looked at without delay', async () => {
  const { env, engine, offer, watch } = watched()
  engine.well = false
  watch.doubt()
  watch.doubt()
  await env.advance(3_000)
  expect(offer.state()).toBe('draining')
})

test('a stopped watch looks no more', async () => {
  const { env, watch } = watched()
  watch.stop()
  watch.doubt()
  await env.flush()
  expect(env.timers()).toBe(0)
})
