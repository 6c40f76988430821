import { expect, test } from 'bun:test'
import { virtualEnv } from '../../sdk/testing.ts'
import { humanLine, logTo } from '../log.ts'
import { Profit, type Work } from './profit.ts'

const MINUTE_MS = 60_000
/** 420 W with the machine around it: an hour costs $0.126. */
const power = { kilowattHourUsd: 0.3, machineWatts: 70 }
/** 1800 tokens a second: at $0.10 a million and 15 % an hour earns $0.5508; at $0.02 $0.11016. */
const work: Work = { tokensPerSecond: 1_800, watts: 350, measured: true, priceUsd: 0.1, feePpm: 150_000 }

function world(begin: Partial<Work> | null = {}) {
  const env = virtualEnv()
  const said: string[] = []
  const log = logTo(env, (line) => void said.push(line), humanLine)
  const sees = {
    work: begin && { ...work, ...begin },
    gauges: { celsius: 60, watts: 300 as number | null, limitWatts: 450 },
    down: false,
    asked: 0,
  }
  const profit = new Profit({
    ...{ env, log, gauges: async () => sees.gauges },
    work: async () => {
      sees.asked++
      if (sees.down) throw new Error('the hub cannot be reached')
      return sees.work
    },
  })
  /** Looks as the agent does, for so long; what holds at the end. */
  const after = async (minutes: number, wanted: typeof power | null = power) => {
    for (let at = 0; at < minutes * 30; at++) {
      await profit.wish(wanted, true)
      await env.advance(2_000)
    }
    return (await profit.wish(wanted, true)) !== null
  }
  return { env, profit, sees, said, after }
}

test('what an hour earns and costs is counted as documented, from what was measured', async () => {
  const { profit, after } = world()
  expect(await after(0)).toBe(false)
  const facts = profit.facts(power)
  expect(facts?.full?.earns).toBeCloseTo(0.5508, 6)
  expect(facts?.full?.costs).toBeCloseTo(0.126, 6)
  expect([facts?.watts, facts?.costUsd]).toEqual([370, 0.111])
})

test('a price that falls below the cost of power has to stay there, and has to rise a tenth above it to end the rest', async () => {
  const { profit, sees, after } = world()
  const priced = (priceUsd: number) => void (sees.work = { ...work, priceUsd })
  expect(await after(1)).toBe(false)
  priced(0.02)
  expect(await after(6)).toBe(false)
  // It was a dip.
  priced(0.1)
  expect(await after(11)).toBe(false)
  priced(0.02)
  expect(await after(11)).toBe(true)
  expect((await profit.wish(power, false))?.why).toBe(
    'price below cost of power: an hour of work would earn $0.110 and cost $0.126',
  )
  // $0.132 an hour: more than it costs, and not a tenth more.
  priced(0.024)
  expect(await after(30)).toBe(true)
  priced(0.026)
  expect(await after(4)).toBe(true)
  expect(await after(7)).toBe(false)
})

test('an agent that starts at a loss starts nothing; what its owner says anew counts at once', async () => {
  const { sees, after } = world({ priceUsd: 0.02 })
  expect(await after(0)).toBe(true)
  expect(await after(0, { ...power, kilowattHourUsd: 0.1 })).toBe(true)
  expect(await after(0.1, { ...power, kilowattHourUsd: 0.1 })).toBe(false)
  expect(await after(0.1)).toBe(true)
  expect(await after(0, null)).toBe(false)
  const { asked } = sees
  await after(60, null)
  expect(sees.asked).toBe(asked)
})

test('what is not known is no reason to rest, and none to come back', async () => {
  expect(await world(null).after(20)).toBe(false)
  const { sees, said, after } = world({ priceUsd: 0.02 })
  expect(await after(0)).toBe(true)
  sees.down = true
  expect(await after(60)).toBe(true)
  sees.down = false
  sees.work = null
  expect(await after(20)).toBe(true)
  expect(said.length).toBe(1)
  // A hub that was not there yet at the start is asked again soon, and its first answer decides.
  const late = world({ priceUsd: 0.02 })
  late.sees.down = true
  expect(await late.after(0.2)).toBe(false)
  late.sees.down = false
  expect(await late.after(0.5)).toBe(true)
})

test('what the card was seen to draw counts where its draw was only published', async () => {
  // $0.110 earned; 270 W published and 70 around it cost $0.102.
  const { sees, profit, after } = world({ priceUsd: 0.02, measured: false, watts: 270 })
  sees.gauges.watts = 30
  expect(await after(11)).toBe(false)
  sees.gauges.watts = 400
  expect(await after(11)).toBe(true)
  expect(profit.facts(power)?.full?.costs).toBeCloseTo(0.141, 6)
})

test('a card that rests is not asked what it draws', async () => {
  const { env, sees, profit } = world({ priceUsd: 0.02 })
  await profit.wish(power, true)
  sees.gauges.watts = 999
  await env.advance(20 * MINUTE_MS)
  await profit.wish(power, false)
  expect(profit.facts(power)?.watts).toBeNull()
})
