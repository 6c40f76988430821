import { describe, expect, test } from 'bun:test'
import { testDatabase, testDialects } from '../../db/testing.ts'
import { systemEnv, newId } from '../../sdk/env.ts'
import { createLog } from '../log.ts'
import { clientAccount } from './chart.ts'
import { checkLedger } from './check.ts'
import { Ledger, type Ended } from './ledger.ts'
const ended = (id: string, userId: string): Ended => ({
  id,
  userId,
  keyId: 'k',
  variant: 'v',
  state: 'completed',
  stream: true,
  at: 1,
  endedAt: 2,
  firstTokenMs: 1,
  promptTokens: 1,
  completionTokens: 1,
  claimedTokens: null,
  countsDiffer: false,
  promptPicos: 1,
  completionPicos: 1,
  hostId: 'h',
  attempts: 1,
  finishReason: 'stop',
  errorCode: null,
})
describe.each(testDialects)('smoke on %s', (dialect) => {
  for (const writer of ['inline', 'worker'] as const)
    test(writer, async () => {
      const world = await testDatabase(dialect)
      const ledger = await Ledger.open(systemEnv, world.db, {
        hubId: newId(systemEnv, 'hub'),
        selfUrl: null,
        feePpm: 150000,
        writer,
        log: createLog({ json: false }),
      })
      const account = clientAccount('ada')
      expect(await ledger.credit({ account, amount: 1000n, key: 'c1', note: 'x' })).toBe(true)
      expect(await ledger.credit({ account, amount: 1000n, key: 'c1', note: 'x' })).toBe(false)
      const hold = await ledger.hold(account, 100n)
      expect(await ledger.settle(hold, { ...ended('req_1', 'ada'), cost: 60n })).toEqual({
        cost: 60n,
        fee: 9n,
        hostShare: 51n,
      })
      expect(await ledger.spendable(account)).toEqual({ balance: 940n, held: 0n, available: 940n })
      ledger.delivered('req_1')
      expect(await (async () => ledger.hold(account, 2000n))().then(() => '', String)).toContain('may cost up to')
      expect(ledger.openHolds()).toBe(0)
      await ledger.close()
      const report = await checkLedger(world.db)
      expect(report).toMatchObject({ ok: true, problems: [], openHolds: 0, accounts: 2, postings: 2, requests: 1 })
      await world.drop()
    })
})
