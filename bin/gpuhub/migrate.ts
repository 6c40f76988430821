import { sql } from 'drizzle-orm'
import { copyDatabase } from '../../db/copy.ts'
import { lockFile } from '../../db/lock.ts'
import { type Db, sqlitePath } from '../../db/open.ts'
import type { Config } from '../../hub/config.ts'
import { HUB_GONE_MS } from '../../hub/fleet/hubs.ts'
import { checkLedger } from '../../hub/ledger/check.ts'
import { command } from '../command.ts'
import { Failure } from '../failure.ts'
import { columns } from '../lines.ts'
import { databaseOf, onDatabase, openDatabase, place, reason, sqliteFile, withoutPassword } from './database.ts'

export const migrateCommand = command({
  name: 'migrate',
  summary: 'Bring the database up to date; with --to, copy everything into another, empty database.',
  options: {
    ...place,
    to: { type: 'string', value: 'URL', help: 'postgres://… or sqlite:FILE. No hub may run on either meanwhile.' },
  },
  run: ({ options, world, out, say }) =>
    // Opening it is what brings it up to date.
    onDatabase({ world, data: options.data }, async (from, config) => {
      if (options.to === undefined) {
        return out({ database: withoutPassword(databaseOf(config)), upToDate: true }, ['The database is up to date.'])
      }
      const release = await keepHubsAway(from, config)
      const to = await openDatabase({ ...config, databaseUrl: options.to })
      try {
        const counts = await copyDatabase(from, to).catch((error: unknown) => {
          throw new Failure(`Nothing was copied: ${reason(error)}.`)
        })
        const { ok, sum } = await checkLedger(to)
        if (!ok)
          throw new Failure(`The copy's books do not balance (sum ${sum}). Do not use it; the original is untouched.`)
        const rows = Object.entries(counts).map(([name, count]) => [name, count.toLocaleString('en')])
        out(
          {
            from: withoutPassword(from.url),
            to: withoutPassword(options.to),
            rows: counts,
            ledger: { ok, sum: String(sum) },
          },
          [...columns(rows, [1]), 'Every row arrived, and the books balance.'],
        )
        say(`Start the hub on it with DATABASE_URL=${withoutPassword(options.to)} and the same secret.`)
      } finally {
        await to.close()
        release()
      }
    }),
})

/** @throws Failure while a hub runs on this database: what it writes after the copy would be lost. */
async function keepHubsAway(db: Db, config: Config): Promise<() => void> {
  const running = () =>
    new Failure('A hub runs on this database.', 1, 'Stop it first: what it writes meanwhile would be lost.')
  if (db.dialect === 'sqlite') {
    const lock = lockFile(`${config.databaseUrl ? sqlitePath(config.databaseUrl) : sqliteFile(config.data)}.lock`)
    if (!lock) throw running()
    return () => lock.release()
  }
  const [row] = await db.rows(db.query, sql`select 1 from hubs where seen_at > ${Date.now() - HUB_GONE_MS} limit 1`)
  if (row) throw running()
  return () => {}
}
