import { join } from 'node:path'
import type { Server } from 'bun'
import { lockFile } from '../../db/lock.ts'
import { tokenizerOf } from '../../hub/catalog/find.ts'
import { type Config, settings } from '../../hub/config.ts'
import { IDLE_SECONDS } from '../../hub/gateway/connection.ts'
import { type Hub, openHub } from '../../hub/hub.ts'
import { Callers } from '../../hub/identity/caller.ts'
import { firstAdminPath } from '../../hub/identity/first-admin.ts'
import { createLog, type Log } from '../../hub/log.ts'
import { sleep, systemEnv } from '../../sdk/env.ts'
import { readKeys } from '../../sdk/release.ts'
import { answerPage } from '../../web/web.tsx'
import installer from '../../deploy/install.sh' with { type: 'text' }
import releaseKeys from '../../deploy/release-keys.txt' with { type: 'text' }
import { command, type World } from '../command.ts'
import { Failure } from '../failure.ts'
import { columns } from '../lines.ts'
import {
  databaseOf,
  makeDataFolder,
  openDatabase,
  publicUrl,
  reason,
  settingsOf,
  sqliteFile,
  withoutPassword,
} from './database.ts'
import { secretOf } from './secret.ts'
import { release } from './version.ts'

/**
 * The gateway refuses bodies above its own limit with the documented error. Bun's limit answers an empty 413 before any
 * handler runs, so it stands far above and only keeps a body nobody reads from filling the memory.
 */
const BODY_GUARD_BYTES = 16 * 2 ** 20
const LAST_BYTES_MS = 5_000

export const serveCommand = command({
  name: 'serve',
  summary: 'Run a hub.',
  options: {
    port: { type: 'string', value: 'N', help: describe('port') },
    host: { type: 'string', value: 'ADDRESS', help: describe('host') },
    data: { type: 'string', value: 'FOLDER', help: describe('data') },
  },
  notes: [
    'Settings from the environment:',
    ...columns(settings().map(({ name, env }) => [`  ${env}`, describe(name, '')])),
  ],
  async run({ options, world }) {
    const server = await startServing(settingsOf(world, options), world)
    const { firstAdmin } = server
    // Not through the log, which may be kept elsewhere: the link opens the hub.
    if (firstAdmin) world.stderr(`\nThis hub has no admin yet. Become it, once, within a day:\n\n  ${firstAdmin}\n\n`)
    await firstSignal()
    // Whoever asks twice does not want to wait.
    void firstSignal().then(() => process.exit(1))
    await server.stop()
  },
})

export interface Serving {
  url: string
  hub: Hub
  /** While there is no admin: a link that makes one. */
  firstAdmin: string | null
  stop(): Promise<void>
}

/** Opens the hub that `config` describes and listens. @throws Failure */
export async function startServing(
  config: Config,
  world: Pick<World, 'interactive'>,
  log: Log = createLog({ json: config.logJson || !world.interactive }),
): Promise<Serving> {
  checkProxies(config)
  makeDataFolder(config.data)
  const lock = config.databaseUrl ? null : lockFile(`${sqliteFile(config.data)}.lock`)
  if (!config.databaseUrl && !lock) {
    throw new Failure(
      `Another gpuhub is already running on ${sqliteFile(config.data)}.`,
      1,
      'Stop it first, use another --data, or share a PostgreSQL through DATABASE_URL.',
    )
  }
  const secret = secretOf(config)
  const db = await openDatabase(config)
  let url = publicUrl(config)
  const hub = await openHub({
    ...{ env: systemEnv, config, db, log, secret },
    version: release.version,
    url: () => url,
    writer: 'worker',
    releases: { from: config.releases || join(config.data, 'releases'), installer, keys: readKeys(releaseKeys) },
    pages: answerPage,
  })
  // Half a second each, and better now than in the first request.
  hub.platform.meter.warm(hub.platform.offers.all().map(tokenizerOf))
  const server = listen(config, hub)
  if (!config.publicUrl) url = `http://${server.hostname}:${server.port}`
  log.info('serving', {
    version: release.version,
    commit: release.commit,
    url,
    database: withoutPassword(databaseOf(config)),
    ...(db.dialect === 'sqlite' ? { synchronous: 'full' } : {}),
    fee: `${config.feePpm / 10_000}%`,
    simulatedHosts: config.allowSimulated ? 'accepted' : 'refused',
  })
  const path = await firstAdminPath(systemEnv, db)
  return {
    url,
    hub,
    firstAdmin: path === null ? null : url + path,
    async stop() {
      log.info('stopping', { graceSeconds: config.graceSeconds })
      const left = await hub.drain(config.graceSeconds * 1_000)
      if (left > 0) log.warn('stopping with requests still running', { requests: left })
      await deliver(server)
      await server.stop(true)
      await hub.close()
      await db.close()
      lock?.release()
      log.info('stopped')
    },
  }
}

/** @throws Failure */
function checkProxies({ trustedProxies, countryHeader }: Config): void {
  try {
    new Callers(trustedProxies, countryHeader)
  } catch (error) {
    throw new Failure(`GPUHUB_TRUSTED_PROXIES: ${reason(error)}.`, 2, 'gpuhub serve --help lists every setting.')
  }
}

/** Lets the ends of answers reach their clients, who were billed for them. One that does not read is not waited for. */
async function deliver(server: Server<unknown>): Promise<void> {
  const until = systemEnv.mono() + LAST_BYTES_MS
  void server.stop(false)
  while (server.pendingRequests > 0 && systemEnv.mono() < until) await sleep(systemEnv, 10)
}

function listen(config: Config, hub: Hub) {
  try {
    return Bun.serve({
      hostname: config.host,
      port: config.port,
      maxRequestBodySize: BODY_GUARD_BYTES,
      idleTimeout: IDLE_SECONDS,
      fetch: (request, server) => hub.fetch(request, server),
      websocket: hub.websocket,
      // Its pages for what goes wrong are HTML and show the source.
      development: false,
    })
  } catch (error) {
    throw new Failure(
      `Cannot listen on ${config.host}:${config.port}: ${reason(error)}`,
      1,
      'Choose another with --port, or stop what listens there.',
    )
  }
}

function describe(name: keyof Config, fallbackEnv?: string): string {
  const setting = settings().find((each) => each.name === name)
  if (!setting) return ''
  const notes = [
    ...(setting.fallback === '' ? [] : [`default ${setting.fallback}`]),
    ...(fallbackEnv === undefined ? [setting.env] : []),
  ]
  return notes.length > 0 ? `${setting.description} [${notes.join('; ')}]` : setting.description
}

function firstSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
  })
}
