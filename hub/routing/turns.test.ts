import { describe, expect, test } from 'bun:test'
import type { Link } from '../tunnel/link.ts'
import { seatFor, Turns } from './turns.ts'

const MODEL = 'test/model'
const nobody: ReadonlySet<string> = new Set()

/** Hosts named `v…` are vetted. */
function seated(share: number, ...hosts: string[]) {
  let current = share
  const turns = new Turns({ unvettedShare: () => current })
  for (const hostId of hosts) turns.join(seat(hostId))
  const asked = (times: number, exclude = nobody) => {
    const counts: Record<string, number> = {}
    for (let i = 0; i < times; i++) {
      const hostId = turns.next(MODEL, exclude)?.hostId ?? 'nobody'
      counts[hostId] = (counts[hostId] ?? 0) + 1
    }
    return counts
  }
  return { turns, asked, allow: (next: number) => (current = next) }
}

function seat(hostId: string, slots = 4) {
  return seatFor({
    ...{ hostId, ownerId: 'ada', simulated: false, vetted: hostId.startsWith('v'), link: { hostId } as Link },
    ...{ variant: MODEL, name: MODEL, slots, contextTokens: 8_192, tokenIds: true },
  })
}

describe('hosts that are not vetted', () => {
  test('get their share together, however many they are', () => {
    const { asked } = seated(0.1, 'v1', 'n1', 'n2', 'n3', 'n4')
    const { v1, ...others } = asked(1_000)
    expect(v1).toBe(900)
    expect(Object.values(others)).toEqual([25, 25, 25, 25])
  })

  test('get no more than their turns where that is less than the share', () => {
    expect(seated(0.5, 'v1', 'v2', 'v3', 'n1').asked(400)).toEqual({ v1: 100, v2: 100, v3: 100, n1: 100 })
  })

  test('serve alike where nobody is vetted, and all that vetted ones cannot take', () => {
    expect(seated(0.05, 'n1', 'n2').asked(10)).toEqual({ n1: 5, n2: 5 })
    expect(seated(0, 'v1', 'n1').asked(10)).toEqual({ v1: 10 })
    expect(seated(0, 'v1', 'n1').asked(10, new Set(['v1']))).toEqual({ n1: 10 })
    expect(seated(0, 'v1', 'n1').asked(1, new Set(['v1', 'n1']))).toEqual({ nobody: 1 })
  })

  test('count for places only as far as they get requests', () => {
    const { turns, allow } = seated(0.2, 'v1', 'n1', 'n2')
    expect(turns.slots(MODEL)).toBe(4 + 1)
    allow(1)
    expect(turns.slots(MODEL)).toBe(12)
    turns.leave('v1', MODEL)
    allow(0.2)
    expect(turns.slots(MODEL)).toBe(8)
  })

  test('change sides when they are vetted, and a new share holds from the next turn on', () => {
    const { turns, asked, allow } = seated(0, 'v1', 'n1')
    expect(asked(4)).toEqual({ v1: 4 })
    allow(0.25)
    expect(asked(8)).toEqual({ v1: 6, n1: 2 })
    turns.change({ ...seat('n1'), vetted: true })
    allow(0)
    expect(asked(8)).toEqual({ v1: 4, n1: 4 })
  })
})
