import { statfsSync, statSync } from 'node:fs'
import { sql } from 'drizzle-orm'
import { pendingMigrations } from '../../db/migrate.ts'
import { type Db, openDb } from '../../db/open.ts'
import type { Config } from '../../hub/config.ts'
import { command } from '../command.ts'
import { columns } from '../lines.ts'
import { databaseOf, place, reason, settingsOf, withoutPassword } from './database.ts'
import { releases } from './releases.ts'
import { existingSecret } from './secret.ts'

/** One thing a hub needs of the machine it runs on. */
export interface Check {
  name: string
  ok: boolean
  actual: string
  required: string
  /** What to do when it is not so. */
  remedy: string
}

const FREE_BYTES = 2 ** 30
const OPEN_FILES = 65_536
const CLOCK_SKEW_MS = 2_000
const ANSWER_MS = 5_000

export const doctorCommand = command({
  name: 'doctor',
  summary: 'Look whether this machine and database are fit for a hub; say what to do where they are not.',
  options: place,
  async run({ options, world, out }) {
    const config = settingsOf(world, { data: options.data })
    const checks = [
      ...dataFolder(config),
      secret(config),
      ...(await database(config)),
      openFiles(),
      ...(await runningHub(config)),
      ...releases(config),
    ]
    const ok = checks.every((check) => check.ok)
    const rows = checks.map(({ name, ok, actual }) => [ok ? 'ok' : 'FAILED', name, actual])
    const failed = checks.filter((check) => !check.ok)
    out({ ok, checks }, [
      ...columns(rows),
      ...failed.flatMap(({ name, required, remedy }) => ['', `${name}: needs ${required}.`, `  ${remedy}`]),
    ])
    return ok ? 0 : 1
  },
})

function dataFolder({ data, databaseUrl }: Config): Check[] {
  const required = 'a folder only its owner can read'
  const stat = attempt(() => statSync(data))
  if (stat instanceof Error) {
    // With PostgreSQL and GPUHUB_SECRET nothing is kept in it.
    const actual = databaseUrl ? 'none, none needed' : `${data} is not there`
    const remedy = 'Start a hub once (gpuhub serve), or say where it is with --data.'
    return [{ name: 'data folder', ok: databaseUrl !== '', actual, required, remedy }]
  }
  const mode = (stat.mode & 0o777).toString(8)
  const { bavail, bsize } = statfsSync(data)
  const freeBytes = bavail * bsize
  return [
    {
      name: 'data folder',
      ok: (stat.mode & 0o077) === 0,
      actual: `${data}, mode ${mode}`,
      required,
      remedy: `chmod 700 ${data}`,
    },
    {
      name: 'disk space',
      ok: freeBytes >= FREE_BYTES,
      actual: `${(freeBytes / 2 ** 30).toFixed(1)} GiB free`,
      required: 'at least 1 GiB free',
      remedy: 'Make room on the disk of the data folder: a hub that cannot write cannot bill, and refuses requests.',
    },
  ]
}

function secret(config: Config): Check {
  const found = attempt(() => existingSecret(config)?.length ?? 0)
  return {
    name: 'secret',
    ok: typeof found === 'number' && found > 0,
    actual: found instanceof Error ? found.message : found > 0 ? `${found} characters` : 'none yet',
    required: 'at least 32 characters, the same for all hubs of a deployment',
    remedy: 'gpuhub serve makes one for a hub on SQLite. Else set GPUHUB_SECRET to what openssl rand -hex 32 prints.',
  }
}

async function database(config: Config): Promise<Check[]> {
  const url = withoutPassword(databaseOf(config))
  const required = 'a database that answers'
  const remedy = config.databaseUrl ? 'Check DATABASE_URL, and that the server runs.' : 'Start a hub once: gpuhub serve'
  const missing =
    !config.databaseUrl && attempt(() => statSync(databaseOf(config).replace('sqlite:', ''))) instanceof Error
  if (missing) return [{ name: 'database', ok: false, actual: `${url} is not there`, required, remedy }]
  let db: Db | undefined
  try {
    const begun = performance.now()
    db = await openDb(databaseOf(config))
    const answers = {
      name: 'database',
      ok: true,
      actual: `${url} answers in ${Math.ceil(performance.now() - begun)} ms`,
      required,
      remedy,
    }
    return [answers, await migrations(db), ...(db.dialect === 'postgres' ? await postgresSettings(db) : [])]
  } catch (error) {
    return [{ name: 'database', ok: false, actual: reason(error), required, remedy }]
  } finally {
    await db?.close()
  }
}

async function migrations(db: Db): Promise<Check> {
  const pending = await pendingMigrations(db)
  return {
    name: 'migrations',
    ok: pending.length === 0,
    actual: pending.length === 0 ? 'up to date' : `missing ${pending.join(', ')}`,
    required: 'a schema that fits this gpuhub',
    remedy: 'Run gpuhub migrate, or start the hub: it does the same.',
  }
}

async function postgresSettings(db: Db): Promise<Check[]> {
  const show = async (name: string) => {
    const [row] = await db.rows<{ setting: string }>(db.query, sql`select current_setting(${name}) as setting`)
    return row?.setting ?? ''
  }
  const durable = async (name: string): Promise<Check> => {
    const actual = await show(name)
    return {
      name: `postgres ${name}`,
      ok: actual !== 'off',
      actual,
      required: 'on: a charge that was committed must survive a power cut',
      remedy: `Set ${name} = on in postgresql.conf and reload.`,
    }
  }
  const [row] = await db.rows<{ ms: number }>(db.query, sql`select extract(epoch from clock_timestamp()) * 1000 as ms`)
  const skewMs = Math.round(Math.abs(Number(row?.ms) - Date.now()))
  return [
    await durable('fsync'),
    await durable('synchronous_commit'),
    {
      name: 'clock',
      ok: skewMs <= CLOCK_SKEW_MS,
      actual: `${skewMs} ms from the database's`,
      required: 'at most 2 s apart',
      remedy: 'Let both machines set their clocks by NTP.',
    },
  ]
}

function openFiles(): Check {
  const limits = attempt(() => new TextDecoder().decode(Bun.spawnSync(['sh', '-c', 'ulimit -n']).stdout).trim())
  const most = limits === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limits)
  return {
    name: 'open files',
    ok: most >= OPEN_FILES,
    actual: String(limits),
    required: `${OPEN_FILES}: every client and every host holds a connection`,
    remedy: `Raise it before starting the hub: ulimit -n ${OPEN_FILES}, or LimitNOFILE=${OPEN_FILES} in a systemd unit.`,
  }
}

/** A hub that is not running is no fault; one that runs and is not ready is. */
async function runningHub({ host, port, publicUrl }: Config): Promise<Check[]> {
  const url = `${publicUrl || `http://${host}:${port}`}/readyz`
  const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) }).catch(() => null)
  if (!answer) return [{ name: 'hub', ok: true, actual: `nothing answers at ${url}`, required: '', remedy: '' }]
  const skewMs = Math.abs(Date.parse(answer.headers.get('date') ?? '') - Date.now())
  const remedy = 'Its log says why; GET /readyz names the part that is not ready.'
  return [
    { name: 'hub', ok: answer.ok, actual: `${url} says ${answer.status}`, required: '200', remedy },
    {
      name: 'hub clock',
      ok: !(skewMs > CLOCK_SKEW_MS),
      actual: Number.isNaN(skewMs) ? 'not told' : `${Math.round(skewMs / 1_000)} s from this machine's`,
      required: 'at most 2 s apart',
      remedy: 'Let both machines set their clocks by NTP.',
    },
  ]
}

function attempt<T>(work: () => T): T | Error {
  try {
    return work()
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}
