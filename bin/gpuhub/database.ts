// How a command reaches the hub's database: the same one a running server uses, found the same way.
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { migrate } from '../../db/migrate.ts'
import { type Db, isPostgres, openDb } from '../../db/open.ts'
import { Imports } from '../../hub/catalog/imports.ts'
import { type Config, ConfigError, readConfig } from '../../hub/config.ts'
import { HubError } from '../../hub/errors.ts'
import type { World } from '../command.ts'
import { Failure } from '../failure.ts'
import type { Options } from '../options.ts'

/** Every command that needs the database takes this. */
export const place = {
  data: { type: 'string', value: 'FOLDER', help: 'The hub’s data folder [default ./data; GPUHUB_DATA].' },
} as const satisfies Options

/** Flags win over the environment. @throws Failure that names the setting at fault */
export function settingsOf(world: World, flags: Record<string, string | undefined> = {}): Config {
  try {
    return readConfig(world.env, flags)
  } catch (error) {
    if (error instanceof ConfigError) throw new Failure(error.message, 2, 'gpuhub serve --help lists every setting.')
    throw error
  }
}

export function databaseOf(config: Config): string {
  return config.databaseUrl || `sqlite:${sqliteFile(config.data)}`
}

export function sqliteFile(data: string): string {
  return join(data, 'hub.db')
}

/** Where people reach the hub that `config` describes, as far as that can be known without asking it. */
export function publicUrl(config: Config): string {
  return config.publicUrl.replace(/\/+$/, '') || `http://${config.host}:${config.port}`
}

/** A URL without its password, for messages. */
export function withoutPassword(url: string): string {
  return url.replace(/^([a-z]+:\/\/[^:@/]*):[^@/]*@/, '$1:…@')
}

/** For its owner only: it holds the secret and everybody's money. */
export function makeDataFolder(data: string): void {
  try {
    mkdirSync(data, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new Failure(`${data} cannot be used as the data folder: ${reason(error)}`, 1, 'Choose another with --data.')
  }
}

/** Opens the database `config` names, bringing it up to date. @throws Failure */
export async function openDatabase(config: Config): Promise<Db> {
  const url = databaseOf(config)
  const db = await openDb(url).catch((error: unknown) => {
    const check = isPostgres(url) ? 'Check DATABASE_URL, and that the server runs.' : 'Check --data.'
    throw new Failure(`The database ${withoutPassword(url)} cannot be opened: ${reason(error)}`, 1, check)
  })
  try {
    await migrate(db)
    return db
  } catch (error) {
    await db.close()
    throw new Failure(`The database ${withoutPassword(url)} cannot be used: ${reason(error)}`)
  }
}

/**
 * Runs `work` on the hub's database. Only commands that say `create` begin a new one: elsewhere a wrong --data must
 * not look like a hub that lost everything.
 */
export async function onDatabase<T>(
  { world, data, create = false }: { world: World; data: string | undefined; create?: boolean },
  work: (db: Db, config: Config) => Promise<T>,
): Promise<T> {
  const config = settingsOf(world, { data })
  if (!config.databaseUrl) {
    if (create) makeDataFolder(config.data)
    else if (!existsSync(sqliteFile(config.data))) {
      throw new Failure(
        `There is no hub in ${config.data}.`,
        1,
        'Say where it is with --data FOLDER or DATABASE_URL, or start a new one with: gpuhub serve',
      )
    }
  }
  const db = await openDatabase(config)
  try {
    await new Imports(db).refresh()
    return await work(db, config)
  } catch (error) {
    if (error instanceof HubError) throw new Failure(error.message)
    throw error
  } finally {
    await db.close()
  }
}

export function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
