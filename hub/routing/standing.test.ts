// Three hosts of equal weight; requests are what `next` gives out.
import { describe, expect, test } from 'bun:test'
import { virtualEnv } from '../../sdk/testing.ts'
import type { Link } from '../tunnel/link.ts'
import type { Place } from '../tunnel/links.ts'
import type { Blame } from './blame.ts'
import { FIRST_BACK_OFF_MS } from './breaker.ts'
import { Standing } from './standing.ts'
import { type Seat, Turns } from './turns.ts'

const MODEL = 'test/model'
const nobody: ReadonlySet<string> = new Set()

function place(hostId: string, changes: Partial<Place> = {}): Place {
  const link = { hostId } as Link
  return {
    ...{ hostId, ownerId: 'ada', simulated: false, vetted: false, link, variant: MODEL, name: MODEL },
    ...{ slots: 4, contextTokens: 8_192, tokenIds: true, ...changes },
  }
}

function world(hosts = ['berlin', 'oslo', 'rome']) {
  const env = virtualEnv()
  const turns = new Turns()
  const told: [string, string[]][] = []
  const standing = new Standing({ env, turns, tripped: (hostId, variants) => void told.push([hostId, variants]) })
  for (const host of hosts) standing.joined(place(host))
  const seat = (hostId: string) => turns.get({ hostId, variant: MODEL })!
  const fail = (hostId: string, times: number, blame: Blame = 'seat', of: Seat = seat(hostId)) => {
    for (let i = 0; i < times; i++) standing.failed(of, blame)
  }
  /** Who gets the next turns. */
  const asked = (times: number) => Array.from({ length: times }, () => turns.next(MODEL, nobody)?.hostId)
  return { env, turns, told, standing, seat, fail, asked }
}

describe('a seat on which three requests failed', () => {
  test('gets no turn until its back-off is over, then one; an answer to it brings the seat back', async () => {
    const { env, turns, told, standing, fail, asked } = world()
    fail('berlin', 2)
    expect(asked(3)).toContain('berlin')
    fail('berlin', 1)
    expect(asked(6)).toEqual(['oslo', 'rome', 'oslo', 'rome', 'oslo', 'rome'])
    expect(told).toEqual([['berlin', [MODEL]]])
    await env.advance(FIRST_BACK_OFF_MS - 1)
    expect(turns.count(MODEL)).toBe(2)
    await env.advance(1)
    const probe = [1, 2, 3].map(() => turns.next(MODEL, nobody)!).find(({ hostId }) => hostId === 'berlin')!
    expect(asked(4)).not.toContain('berlin')
    standing.answered(probe)
    expect(asked(3)).toContain('berlin')
    expect(told).toEqual([
      ['berlin', [MODEL]],
      ['berlin', []],
    ])
  })

  test('and fails its one turn is out for twice as long', async () => {
    const { env, turns, standing, seat, fail } = world()
    fail('berlin', 3)
    await env.advance(FIRST_BACK_OFF_MS)
    const probe = seat('berlin')
    probe.taken!()
    standing.failed(probe, 'seat')
    await env.advance(2 * FIRST_BACK_OFF_MS - 1)
    expect(turns.count(MODEL)).toBe(2)
    await env.advance(1)
    expect(turns.count(MODEL)).toBe(3)
  })

  test('is not judged, while it proves itself, by answers and failures that began before', async () => {
    const { env, turns, standing, seat, fail } = world()
    const older = seat('berlin')
    fail('berlin', 3)
    await env.advance(FIRST_BACK_OFF_MS)
    standing.failed(older, 'seat')
    expect(turns.count(MODEL)).toBe(3)
    seat('berlin').taken!()
    standing.answered(older)
    expect(turns.count(MODEL)).toBe(2)
  })

  test('and whose one turn is never heard of again gets another', async () => {
    const { env, turns, seat, fail } = world()
    fail('berlin', 3)
    await env.advance(FIRST_BACK_OFF_MS)
    seat('berlin').taken!()
    expect(turns.count(MODEL)).toBe(2)
    await env.advance(15_000)
    expect(turns.count(MODEL)).toBe(3)
  })

  test('is no better for linking anew, and no worse for being away', async () => {
    const { env, turns, standing, fail } = world()
    fail('berlin', 3)
    standing.left(place('berlin'))
    standing.joined(place('berlin'))
    expect(turns.count(MODEL)).toBe(2)
    standing.left(place('berlin'))
    await env.advance(FIRST_BACK_OFF_MS)
    expect(turns.count(MODEL)).toBe(2)
    standing.joined(place('berlin'))
    expect(turns.count(MODEL)).toBe(3)
  })

  test('comes back as what it offers by then', async () => {
    const { env, standing, seat, fail } = world()
    fail('berlin', 3)
    standing.changed(place('berlin', { contextTokens: 99 }))
    await env.advance(FIRST_BACK_OFF_MS)
    expect(seat('berlin')).toMatchObject({ contextTokens: 99 })
    standing.changed(place('berlin', { contextTokens: 100 }))
    expect(seat('berlin')).toMatchObject({ contextTokens: 100 })
    expect(seat('berlin').taken).toBeDefined()
  })

  test('keeps its seats for other models', async () => {
    const { turns, told, standing, fail } = world()
    standing.joined(place('berlin', { variant: 'test/other' }))
    fail('berlin', 3)
    expect([turns.count(MODEL), turns.count('test/other')]).toEqual([2, 1])
    expect(told).toEqual([['berlin', [MODEL]]])
  })

  test('leaves no timer behind when the hub stops', async () => {
    const { env, standing, fail } = world()
    fail('berlin', 3)
    standing.stop()
    expect(env.timers()).toBe(0)
  })
})

describe('what is blamed on', () => {
  test('nobody is not counted', () => {
    const { turns, fail } = world()
    fail('berlin', 100, 'nobody')
    expect(turns.count(MODEL)).toBe(3)
  })

  test('a lost link counts once, however many answers it carried; three lost links count three', () => {
    const { turns, standing, seat, fail } = world()
    for (let link = 1; link <= 3; link++) {
      expect(turns.count(MODEL)).toBe(3)
      const lost = seat('berlin')
      standing.left(place('berlin'))
      fail('berlin', 100, 'link', lost)
      standing.joined(place('berlin'))
    }
    expect(turns.count(MODEL)).toBe(2)
  })

  test('a seat that says it is broken takes it out at once, for ten minutes (F-oom)', async () => {
    const { env, turns, fail } = world()
    fail('berlin', 1, 'broken')
    await env.advance(10 * 60_000 - 1)
    expect(turns.count(MODEL)).toBe(2)
    await env.advance(1)
    expect(turns.count(MODEL)).toBe(3)
  })

  test.each<Blame>(['slow', 'seat', 'link'])(
    'when the whole fleet fails, only some are taken out: then it says little about each (%s)',
    (blame) => {
      const { turns, fail, seat } = world(['berlin', 'oslo', 'rome', 'kyoto', 'lima', 'quito'])
      const all = ['berlin', 'oslo', 'rome', 'kyoto', 'lima', 'quito'].map(seat)
      const links = (of: Seat) => ({ ...of, link: { hostId: of.hostId } as Link })
      for (let round = 0; round < 10; round++) for (const each of all) fail(each.hostId, 1, blame, links(each))
      expect(turns.count(MODEL)).toBe(3)
    },
  )

  test('the only one is never taken out, unless it says that it is broken', () => {
    const { turns, fail, seat } = world(['berlin'])
    const only = seat('berlin')
    fail('berlin', 100, 'slow')
    fail('berlin', 100, 'seat')
    expect(turns.count(MODEL)).toBe(1)
    fail('berlin', 1, 'broken', only)
    expect(turns.count(MODEL)).toBe(0)
  })
})
