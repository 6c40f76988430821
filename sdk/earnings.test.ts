import { describe, expect, test } from 'bun:test'
import { cards, expectedSpeed, nightUsd } from './earnings.ts'

// The table of host economics that the estimate was checked against: 8 hours, fee 15 %, $0.17 a kilowatt-hour.
const night = { hours: 8, feePpm: 150_000, kilowattHourUsd: 0.17 }
test.each([
  ['RTX 3090, 8 B, a fifth busy', { tokensPerSecond: 700, watts: 300, busy: 0.2, priceUsd: 0.08 }, 0.1],
  ['RTX 4090, 8 B, half busy', { tokensPerSecond: 1_800, watts: 350, busy: 0.5, priceUsd: 0.08 }, 1.43],
  [
    'RTX 5090, 30 B of 3 B active, mostly busy',
    { tokensPerSecond: 2_850, watts: 475, busy: 0.8, priceUsd: 0.12 },
    6.09,
  ],
  ['H100, 32 B, half busy', { tokensPerSecond: 2_000, watts: 600, busy: 0.5, priceUsd: 0.3 }, 6.84],
  ['an idle card costs the machine around it', { tokensPerSecond: 700, watts: 300, busy: 0, priceUsd: 0.08 }, -0.1],
])('%s', (_, given, net) => {
  expect(nightUsd({ ...night, ...given }).net).toBeCloseTo(net, 2)
})

describe('the speed to expect', () => {
  const qwen8 = { model: 'Qwen/Qwen3-8B', parameters: { total: 8.2e9, active: 8.2e9 } }
  const qwen30 = { model: 'Qwen/Qwen3-30B-A3B', parameters: { total: 30.5e9, active: 3.3e9 } }
  const qwen32 = { model: 'Qwen/Qwen3-32B', parameters: { total: 32.8e9, active: 32.8e9 } }

  test('is the published one, by the name the driver gives the card', () => {
    expect(expectedSpeed('NVIDIA GeForce RTX 4090', qwen8)).toEqual({
      tokensPerSecond: 1_800,
      watts: 350,
      published: true,
    })
    expect(expectedSpeed('NVIDIA H100 80GB HBM3', qwen32)).toMatchObject({ tokensPerSecond: 2_000, published: true })
  })

  test.each(cards.flatMap((card) => [qwen30, qwen32].map((model) => [card.name, model] as const)))(
    'of %s would be guessed within half of what is published: %p',
    (name, sized) => {
      const published = expectedSpeed(name, sized)
      const guessed = expectedSpeed(name, { ...sized, model: 'nobody/has-measured-it' })
      expect(guessed).toMatchObject({ published: false })
      const ratio = (guessed?.tokensPerSecond ?? 0) / (published?.tokensPerSecond ?? 1)
      expect(ratio).toBeGreaterThan(0.66)
      expect(ratio).toBeLessThan(1.5)
    },
  )

  test('of a card with a longer name is not that of the shorter one', () => {
    const ti = expectedSpeed('NVIDIA GeForce RTX 5070 Ti', qwen8)?.tokensPerSecond ?? 0
    expect(ti).toBeGreaterThan(expectedSpeed('NVIDIA GeForce RTX 5070', qwen8)?.tokensPerSecond ?? 0)
  })

  test('of a part of a card is its part', () => {
    const part = expectedSpeed('NVIDIA H100 80GB HBM3 MIG 3g.40gb', qwen8)
    expect(part?.tokensPerSecond).toBeCloseTo(3_000)
    expect(part?.published).toBe(false)
  })

  test.each(['Quadro P2000', 'NVIDIA GeForce RTX 4090 Laptop GPU'])('of %s is not known', (name) => {
    expect(expectedSpeed(name, qwen8)).toBeNull()
  })
})
