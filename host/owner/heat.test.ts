import { expect, test } from 'bun:test'
import { virtualEnv } from '../../sdk/testing.ts'
import { humanLine, logTo } from '../log.ts'
import { Heat } from './heat.ts'

const limit = { limitCelsius: 80 }

function world() {
  const env = virtualEnv()
  const said: string[] = []
  const log = logTo(env, (line) => void said.push(line), humanLine)
  const shares: number[] = []
  const sees = { celsius: 60 as number | null, looks: 0 }
  const heat = new Heat({
    ...{ env, log, limit: (share: number) => void shares.push(share) },
    celsius: async () => {
      sees.looks++
      return sees.celsius
    },
  })
  /** For so long at that temperature; whether it rests at the end. */
  const at = async (celsius: number | null, seconds: number, works = true) => {
    sees.celsius = celsius
    let wish = null
    for (let now = 0; now < seconds; now += 2) {
      wish = await heat.wish(limit, works)
      await env.advance(2_000)
    }
    return wish?.who ?? null
  }
  return { env, heat, sees, shares, said, at }
}

test('a card that stays too hot gets less, then rests; it comes back step by step', async () => {
  const { heat, shares, at } = world()
  expect(await at(79, 600)).toBeNull()
  expect(await at(82, 50)).toBeNull()
  expect(shares).toEqual([])
  expect(await at(82, 30)).toBeNull()
  expect(shares).toEqual([0.5])
  expect(await at(82, 70)).toBeNull()
  expect(shares).toEqual([0.5, 0.25])
  expect(await at(82, 70)).toBe('heat')
  expect(heat.facts(limit)).toEqual({ limitCelsius: 80, celsius: 82, share: 0 })
  expect((await heat.wish(limit, false))?.why).toBe(
    'the card is hotter than 80 °C; it works again once it has cooled down',
  )
  // Cooler, and not cold.
  expect(await at(70, 900, false)).toBe('heat')
  expect(await at(60, 280, false)).toBe('heat')
  expect(await at(60, 40, false)).toBeNull()
  expect(shares).toEqual([0.5, 0.25, 0.25])
  // Between limit and cool it stays as it is.
  expect(await at(78, 900)).toBeNull()
  expect(shares.length).toBe(3)
  await at(74, 620)
  expect(shares).toEqual([0.5, 0.25, 0.25, 0.5, 1])
})

test('a peak is no reason, far above the limit one is', async () => {
  const { shares, at } = world()
  for (let peak = 0; peak < 20; peak++) {
    await at(83, 40)
    await at(78, 20)
  }
  expect(shares).toEqual([])
  expect(await at(87, 10)).toBeNull()
  expect(await at(87, 12)).toBe('heat')
})

test('what nobody knows is not hot, and a rest that nobody can measure ends', async () => {
  const { at } = world()
  expect(await at(null, 600)).toBeNull()
  expect(await at(90, 20)).toBe('heat')
  expect(await at(null, 290, false)).toBe('heat')
  expect(await at(null, 30, false)).toBeNull()
})

test('without a limit all is taken again, and a card that rests for other reasons is left alone', async () => {
  const { heat, shares, sees, at } = world()
  await at(82, 80)
  expect(shares).toEqual([0.5])
  await heat.wish(null, true)
  expect(shares).toEqual([0.5, 1])
  const { looks } = sees
  await at(95, 100, false)
  expect(sees.looks).toBe(looks)
})
