import { expect, test } from 'bun:test'
import { encodeData, encodeJson, HEADER_BYTES } from '../../sdk/wire/codec.ts'
import { kind } from '../../sdk/wire/frames.ts'
import { virtualEnv } from '../../sdk/testing.ts'
import { type Log, silentLog } from '../log.ts'
import { type FakeHost, testTunnel } from './testing.ts'

const FRAMES = 50_000
const PER_TURN = 25

test(`${FRAMES} random and mutated frames from one host: no bug is met, no other host is harmed`, async () => {
  const errors: string[] = []
  const log: Log = { ...silentLog, error: (event, fields) => void errors.push(`${event}: ${fields?.error}`) }
  const { env, links, ask, welcomed } = testTunnel({ log })
  const chance = dice(7)
  const honest = await welcomed('oslo')
  const answer = ask('host_oslo')
  await env.flush()
  const call = honest.host.calls[0]!
  call.answer()
  let told = ''

  let hostile: FakeHost | null = null
  let running: ReturnType<typeof ask>[] = []
  let lost = 0
  let linked = 0
  for (let sent = 0; sent < FRAMES; sent += PER_TURN) {
    if (!hostile || hostile.closedWith) {
      // Its link was closed: every attempt has failed, once, and it may come back.
      for (const attempt of running) expect(attempt.ends + attempt.failures.length).toBe(1)
      lost += running.length
      // No machine may link again at once for ever.
      await env.advance(5_000)
      hostile = (await welcomed('berlin', { beats: false })).host
      linked++
      running = Array.from({ length: 4 }, () => ask('host_berlin'))
      await env.flush()
    }
    for (let i = 0; i < PER_TURN; i++) hostile.send(frame(chance))
    const word = `${sent} `
    call.data(word)
    told += word
    await env.flush()
  }
  call.end()
  await env.flush()

  expect(answer).toMatchObject({ statuses: [200], text: told, ends: 1, failures: [] })
  expect(errors).toEqual([])
  expect(links.size).toBeLessThanOrEqual(2)
  expect(linked).toBeGreaterThan(100)
  expect(lost).toBeGreaterThan(400)
})

/** A frame as a host would send it, most often with some of its bytes changed; now and then plain noise. */
function frame(chance: Dice): Uint8Array {
  if (chance(20) === 0) return noise(chance, chance(64))
  const bytes = good(chance)
  // Most frames stay whole, so that a link lives long enough for wrong orders and numbers to matter.
  for (let changes = chance(3) === 0 ? 1 + chance(3) : 0; changes > 0; changes--)
    bytes[chance(bytes.length)] = chance(256)
  return chance(30) === 0 ? bytes.subarray(0, chance(bytes.length)) : bytes
}

function good(chance: Dice): Uint8Array {
  const stream = 1 + chance(5)
  const attempt = chance(8) === 0 ? chance(100) : 1
  switch (chance(7)) {
    case 0:
      return encodeJson(stream, kind.answer, { attempt, status: 100 + chance(500) })
    case 1:
      return encodeJson(stream, kind.end, { attempt, frames: chance(4) })
    case 2:
      return encodeJson(stream, kind.fail, { attempt, class: 'engine', code: 'oom', message: '' })
    case 3:
      return encodeJson(0, kind.control, { type: 'beat', epoch: chance(2), running: chance(10) })
    case 4:
      return encodeJson(0, kind.control, { type: 'status', epoch: 1, state: 'draining', serving: [] })
    default:
      return encodeData(stream, chance(4), noise(chance, chance(HEADER_BYTES * 20)))
  }
}

function noise(chance: Dice, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => chance(256))
}

type Dice = (sides: number) => number

/** The same throws for the same seed. */
function dice(seed: number): Dice {
  const env = virtualEnv({ seed })
  let pool = env.random(1 << 16)
  let at = 0
  return (sides) => {
    if (at + 4 > pool.length) {
      pool = env.random(1 << 16)
      at = 0
    }
    const value = ((pool[at]! << 24) | (pool[at + 1]! << 16) | (pool[at + 2]! << 8) | pool[at + 3]!) >>> 0
    at += 4
    return value % sides
  }
}
