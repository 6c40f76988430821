import { expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import { describe } from 'bun:test'
import { type TestDatabase } from '../../db/testing.ts'
import { testDialects } from '../../db/testing.ts'
import { checkLedger } from './check.ts'
import { ADA, pay, testBooks } from './testing.ts'

// What somebody does to the database by hand → what the check says about it.
const TAMPERING: [string, string[], string[]][] = [
  [
    'an entry raised',
    [`update entries set amount = amount + 1 where account = 'platform:fees'`],
    [
      'a posting does not sum to zero',
      'a charge does not match its request',
      'the fees are not what all other accounts lack',
    ],
  ],
  [
    'a balance raised',
    [`update accounts set balance = balance + 1 where id = 'client:ada'`],
    ['a balance is not the sum of its entries', 'the fees are not what all other accounts lack'],
  ],
  [
    'an account deleted',
    [`delete from accounts where id = 'host:berlin:pending'`],
    ['an account has entries and no balance', 'the fees are not what all other accounts lack'],
  ],
  [
    'an account invented',
    [
      `insert into postings (key, kind, note, at) values ('x', 'credit', '', 1)`,
      `insert into entries (posting, line, account, amount, at)
       values ('x', 0, 'platform:feast', 5, 1), ('x', 1, 'platform:credits', -5, 1)`,
    ],
    ['an entry is of an account that is not in the chart', 'the fees are not what all other accounts lack'],
  ],
  ['a grant forgotten', [`delete from grants`], ['what is set aside is not the sum of its grants']],
  [
    'a grant invented',
    [`insert into grants (hub_id, account, amount) values ('hub_x', 'client:eve', 5)`],
    ['a grant is of no account', 'a grant is held by a hub that is gone'],
  ],
  ['a hub gone', [`delete from hubs`], ['a grant is held by a hub that is gone']],
  ['a request deleted', [`delete from requests where id = 'req_1'`], ['a charge has no request']],
  [
    'a cost changed',
    [`update requests set cost = cost - 1, host_share = host_share - 1 where id = 'req_1'`],
    ['a charge does not match its request'],
  ],
  [
    'a failed request that cost',
    [`update requests set state = 'failed' where id = 'req_1'`],
    ['a charge does not match its request'],
  ],
  [
    'a request lost without a refund',
    [`update requests set state = 'lost' where id = 'req_1'`],
    ['a lost request was not refunded'],
  ],
  [
    'a refund taken back',
    [`update requests set state = 'completed' where id = 'req_lost'`],
    ['a refund is of no lost request'],
  ],
  [
    'a posting emptied',
    [`insert into postings (key, kind, note, at) values ('x', 'credit', '', 1)`],
    ['a posting has no entries'],
  ],
]

describe.each(testDialects)('the check on %s', (dialect) => {
  test('says what is wrong, whatever was tampered with, and is content otherwise', async () => {
    await using books = await testBooks(dialect, { ada: 1_000n })
    const hub = await books.hub()
    await pay(hub, 'req_1', 100n)
    await pay(hub, 'req_lost', 50n)
    hub.refund('req_lost')
    await hub.credit({ account: 'client:bob', amount: 2n ** 63n - 1n, key: 'huge', note: '' })
    await hub.credit({ account: 'client:eva', amount: 2n ** 63n - 1n, key: 'huge too', note: '' })
    hub.release(await hub.hold(ADA, 1n))
    const sound = await checkLedger(books.world.db)
    expect(sound).toMatchObject({
      ok: true,
      sum: 0n,
      problems: [],
      accounts: 4,
      postings: 6,
      requests: 2,
      openHolds: 1,
    })

    for (const [, statements, expected] of TAMPERING) {
      const found = await undone(books.world, statements)
      expect([...new Set(found)].sort()).toEqual([...expected].sort())
    }
    await hub.close()
  })
})

/** What the check says after `statements`, which are then taken back. */
async function undone({ db }: TestDatabase, statements: string[]): Promise<string[]> {
  const tables = ['hubs', 'accounts', 'postings', 'entries', 'grants', 'requests']
  const rows = (text: string) => db.rows(db.query, sql.raw(text))
  for (const table of tables) await rows(`create table kept_${table} as select * from ${table}`)
  for (const statement of statements) await rows(statement)
  const { problems } = await checkLedger(db)
  for (const table of [...tables].reverse()) await rows(`delete from ${table}`)
  for (const table of tables) {
    await rows(`insert into ${table} select * from kept_${table}`)
    await rows(`drop table kept_${table}`)
  }
  return problems.map(({ what }) => what)
}
