import { expect, test } from 'bun:test'
import { transaction } from '../db/transaction.ts'
import { startHub } from './testing.ts'

test('a hub that stood still does not give up on its books', async () => {
  await using hub = await startHub({ credit: { ada: '$1' }, hosts: { berlin: {} } })
  const ada = hub.as('ada')
  // Money is set aside already, so that the next request needs the database only to settle.
  expect((await ada.chat('Hello')).status).toBe(200)
  hub.host('berlin').engine.block()
  const asking = ada.chat('Why is the sky blue?')
  await hub.host('berlin').engine.tally.until(({ running }) => running === 1)

  hub.env.holdUp()
  const free = Promise.withResolvers<void>()
  const holding = transaction(hub.world.db, () => free.promise)
  hub.host('berlin').engine.release()
  await hub.host('berlin').engine.tally.until(({ running }) => running === 0)
  await hub.env.advance(1_000)
  hub.stall(9_500)
  await hub.env.advance(1_500)
  free.resolve()
  await holding
  const answer = await asking
  expect(answer.status).toBe(200)
  expect(((await answer.json()) as { usage: { cost: number } }).usage.cost).toBeGreaterThan(0)
})
