import { expect, test } from 'bun:test'
import { systemEnv } from '../../sdk/env.ts'
import { OneByOne } from './one-by-one.ts'

test('each gets a turn of the event loop of its own, in the order in which they asked', async () => {
  const line = new OneByOne(systemEnv)
  let loop = 0
  let counting = true
  const count = () => {
    loop++
    if (counting) setImmediate(count)
  }
  setImmediate(count)
  const turns = await Promise.all([0, 1, 2, 3, 4].map((place) => line.turn().then(() => ({ place, loop }))))
  counting = false
  expect(turns.map(({ place }) => place)).toEqual([0, 1, 2, 3, 4])
  expect(new Set(turns.map((turn) => turn.loop)).size).toBe(5)
  await line.turn()
})
