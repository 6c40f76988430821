import { describe, expect, test } from 'bun:test'
import { type VirtualEnv, virtualEnv } from '../../sdk/testing.ts'
import { Awake } from './awake.ts'

const TICK_MS = 500

/** A hub whose heart beats, and which can be stopped: no timer runs, and what is due runs late. */
function world() {
  const clock = virtualEnv()
  let stoppedMs = 0
  const env: VirtualEnv = { ...clock, mono: () => clock.mono() + stoppedMs }
  const pauses: number[] = []
  const awake = new Awake(env, (ms) => void pauses.push(Math.round(ms)))
  const beat = () => {
    awake.pulse(TICK_MS)
    env.timer(TICK_MS, beat)
  }
  beat()
  const stop = (ms: number) => {
    stoppedMs += ms
  }
  return { env, awake, pauses, stop }
}

describe('the awake clock', () => {
  test('runs with the other one while the hub works', async () => {
    const { env, awake, pauses } = world()
    await env.advance(3_600_000)
    expect(awake.mono()).toBe(3_600_000)
    expect(pauses).toEqual([])
  })

  test('does not count a pause, nor the second after it (F-pause)', async () => {
    const { env, awake, pauses, stop } = world()
    await env.advance(10_000)
    stop(60_000)
    await env.advance(TICK_MS)
    expect(pauses).toEqual([60_000])
    const waking = awake.mono()
    expect(waking).toBe(10_000)
    await env.advance(1_000)
    expect(awake.mono()).toBe(waking)
    await env.advance(10_000)
    expect(awake.mono()).toBe(20_000)
  })

  test('counts a stall of a second, as every busy program has them', async () => {
    const { env, awake, pauses, stop } = world()
    await env.advance(10_000)
    stop(1_000)
    await env.advance(TICK_MS)
    expect([awake.mono(), pauses]).toEqual([11_500, []])
  })

  test('never goes back, and is right even before the heart has noticed', async () => {
    const { env, awake, stop } = world()
    await env.advance(10_250)
    const before = awake.mono()
    stop(3_600_000)
    expect(awake.mono()).toBe(before)
  })

  test('is not moved by a wall clock that jumps an hour either way (F-clock)', async () => {
    const { env, awake, pauses } = world()
    await env.advance(10_000)
    env.jump(3_600_000)
    await env.advance(10_000)
    env.jump(-7_200_000)
    await env.advance(10_000)
    expect([awake.mono(), pauses]).toEqual([30_000, []])
  })

  test('cannot tell a pause from idleness while nobody’s heart beats', async () => {
    const env = virtualEnv()
    const awake = new Awake(env)
    awake.pulse(TICK_MS)
    awake.rest()
    await env.advance(60_000)
    expect(awake.mono()).toBe(60_000)
  })
})

describe('a timer by that clock', () => {
  test('fires when its time has passed awake: a pause makes it wait as much longer (F-pause)', async () => {
    const { env, awake, stop } = world()
    let fired = false
    awake.timer(3_000, () => {
      fired = true
    })
    await env.advance(2_900)
    stop(30_000)
    // To the tick that notices, the second to catch up, and what had been left at the last tick before.
    await env.advance(100 + 1_000 + 499)
    expect(fired).toBe(false)
    await env.advance(1)
    expect(fired).toBe(true)
  })

  test('can be stopped, also after it was put off', async () => {
    const { env, awake, stop } = world()
    let fired = false
    const cancel = awake.timer(3_000, () => {
      fired = true
    })
    await env.advance(2_900)
    stop(30_000)
    await env.advance(500)
    cancel()
    await env.advance(60_000)
    expect(fired).toBe(false)
  })
})
