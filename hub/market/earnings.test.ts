import { expect, test } from 'bun:test'
import { nightUsd } from './earnings.ts'

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
