import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { backup, restore } from '../../db/backup.ts'
import { migrate } from '../../db/migrate.ts'
import { openDb } from '../../db/open.ts'
import { silentLog } from '../log.ts'
import { checkLedger } from './check.ts'
import { Ledger } from './ledger.ts'
import { ADA, pay, testBooks } from './testing.ts'

const folder = mkdtempSync(join(tmpdir(), 'gpuhub-restored-'))
afterAll(() => rmSync(folder, { recursive: true }))

test('(76) a hub on a restored backup keeps what was delivered by then, gives back what was not, and goes on', async () => {
  await using books = await testBooks('sqlite', { ada: 1_000n })
  const hub = await books.hub()
  await pay(hub, 'req_1', 100n)
  hub.delivered('req_1')
  await pay(hub, 'req_2', 50n)
  await hub.hold(ADA, 200n)
  const [file, path] = [join(folder, 'safe.backup'), join(folder, 'restored.db')]
  await backup(books.world.db, file, { secret: 's'.repeat(64), version: '0.1.0', at: 5 })
  await pay(hub, 'req_3', 300n)
  await hub.close()

  restore(file, path)
  const db = await openDb(`sqlite:${path}`)
  await migrate(db)
  const options = { selfUrl: null, feePpm: 150_000, writer: 'inline', log: silentLog } as const
  const heir = await Ledger.open(books.env, db, { ...options, hubId: 'hub_heir' })
  await pay(heir, 'req_4', 0n)
  expect(await heir.spendable(ADA)).toEqual({ balance: 900n, held: 0n, available: 900n })
  // Of what happened since, nothing is known: asked again it is a new request, and costs once.
  await pay(heir, 'req_3', 300n)
  expect((await heir.spendable(ADA)).balance).toBe(600n)
  await heir.close()
  expect(await checkLedger(db)).toMatchObject({ ok: true, sum: 0n, granted: 0n })
  await db.close()
})
