import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { backup, restore } from '../../db/backup.ts'
import { command } from '../command.ts'
import { Failure } from '../failure.ts'
import { makeDataFolder, onDatabase, place, reason, settingsOf, sqliteFile } from './database.ts'
import { moment } from './moment.ts'
import { secretFile, secretOf } from './secret.ts'
import { release } from './version.ts'

export const backupCommand = command({
  name: 'backup',
  summary: 'Write everything a hub on SQLite needs into one file; the hub may run meanwhile.',
  positionals: [{ name: 'file', help: 'The file to write. It holds the secret: keep it as safe as money.' }],
  options: place,
  run: ({ positionals, options, world, out }) =>
    onDatabase({ world, data: options.data }, async (db, config) => {
      if (db.dialect !== 'sqlite') {
        const hint = 'pg_dump --format=custom --file=hub.dump "$DATABASE_URL", and keep GPUHUB_SECRET beside it.'
        throw new Failure('PostgreSQL has its own backups; use pg_dump.', 1, hint)
      }
      const file = resolve(positionals.file)
      const at = Date.now()
      await backup(db, file, { secret: secretOf(config), version: release.version, at }).catch((error) => {
        throw new Failure(`Nothing was backed up: ${reason(error)}.`)
      })
      const bytes = Bun.file(file).size
      out({ file, bytes, at: moment(at) }, [`${file}  ${(bytes / 1e6).toFixed(1)} MB`])
    }),
})

export const restoreCommand = command({
  name: 'restore',
  summary: 'Make a data folder from a backup. Never writes over one that is there.',
  positionals: [{ name: 'file', help: 'What gpuhub backup wrote.' }],
  options: place,
  run: ({ positionals, options, world, out }) => {
    const config = settingsOf(world, { data: options.data })
    if (config.databaseUrl) {
      const hint = 'Restore without DATABASE_URL, then copy it over with: gpuhub migrate --to "$DATABASE_URL"'
      throw new Failure('A backup becomes a SQLite data folder, but DATABASE_URL is set.', 1, hint)
    }
    const path = sqliteFile(config.data)
    const occupied = [path, secretFile(config.data)].find((each) => existsSync(each))
    if (occupied) throw new Failure(`${occupied} exists already.`, 1, 'Move it away, or say --data NEW_FOLDER.')
    makeDataFolder(config.data)
    try {
      const { secret, version, at } = restore(resolve(positionals.file), path)
      writeFileSync(secretFile(config.data), `${secret}\n`, { mode: 0o600, flag: 'wx' })
      out({ data: config.data, version, at: moment(at) }, [
        `${config.data} is as gpuhub ${version} left it at ${moment(at)}. Start it with: gpuhub serve --data ${config.data}`,
      ])
    } catch (error) {
      rmSync(path, { force: true })
      throw new Failure(`Nothing was restored: ${reason(error)}.`)
    }
  },
})
