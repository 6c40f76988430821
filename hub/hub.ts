// One hub: makes each part once, wires them, and mounts the doors. Everything it touches comes in through `openHub`.
import type { Server, WebSocketHandler } from 'bun'
import { Elysia } from 'elysia'
import type { Db } from '../db/open.ts'
import { type Env, newId, sleep } from '../sdk/env.ts'
import { findOffer } from './catalog/find.ts'
import { Offers } from './catalog/offers.ts'
import type { Config } from './config.ts'
import { HubError } from './errors.ts'
import { Enrolment } from './fleet/enrol.ts'
import { Hubs } from './fleet/hubs.ts'
import { Presence } from './fleet/presence.ts'
import { RevokedTokens } from './fleet/revoked.ts'
import { networks } from './gateway/address.ts'
import { Bodies } from './gateway/body.ts'
import { Budgets } from './gateway/budgets.ts'
import { Connection } from './gateway/connection.ts'
import { Limits } from './gateway/limits.ts'
import { wrongMethodOf } from './gateway/methods.ts'
import { Onces } from './gateway/onces.ts'
import { answerInference, inferenceRoute, refusal } from './gateway/openai.ts'
import { apiDocument, type Platform, platformApi } from './gateway/platform.ts'
import { Running } from './gateway/running.ts'
import { Strangers } from './gateway/strangers.ts'
import { Keyring } from './identity/keyring.ts'
import { Seal } from './identity/seal.ts'
import { Ledger } from './ledger/ledger.ts'
import type { Log } from './log.ts'
import { startPrices } from './market/book.ts'
import { Meter } from './metering/meter.ts'
import { seatFor, Turns } from './routing/turns.ts'
import { Door, type Visitor } from './tunnel/door.ts'
import { Links } from './tunnel/links.ts'

export interface HubOptions {
  env: Env
  config: Config
  /** Migrated. */
  db: Db
  log: Log
  /** At least 32 characters; everything the hub signs or names follows from it. */
  secret: string
  version: string
  /** Where settlements are committed: `worker` on a thread of its own, `inline` on this one, for tests and simulation. */
  writer: 'worker' | 'inline'
}

export interface Hub {
  /** Answers one request; nothing when it became a WebSocket. */
  fetch(request: Request, server: Server<Visitor>): Promise<Response | undefined>
  websocket: WebSocketHandler<Visitor>
  /** Lets hosts be linked without a network, in tests and the simulator. */
  door: Door
  platform: Platform
  /** Takes nothing new, and waits for what runs, `graceMs` at most. @returns how many requests were still running. */
  drain(graceMs: number): Promise<number>
  /** Writes what is to be written and leaves. */
  close(): Promise<void>
}

export async function openHub({ env, config, db, log, secret, version, writer }: HubOptions): Promise<Hub> {
  const hubId = newId(env, 'hub')
  const ledger = await Ledger.open(env, db, {
    hubId,
    selfUrl: config.selfUrl || null,
    feePpm: config.feePpm,
    writer,
    log,
  })
  const offers = await Offers.open(env, db, { simulated: config.allowSimulated })
  const seal = new Seal(secret)
  const keyring = new Keyring({ env, db, log })
  const meter = new Meter()
  const turns = new Turns((variant) => running.grown(variant))
  const proxies = networks(config.trustedProxies)
  const allowedHosts = config.allowedHosts === '' ? null : new Set(config.allowedHosts.toLowerCase().split(/[\s,]+/))
  const strangers = new Strangers(env, { requests: config.strangerRpm, wrongKeys: config.wrongKeysPerMinute })
  const running = new Running(env, {
    total: config.maxRunning,
    loadFactor: config.loadFactor,
    queueFactor: config.queueFactor,
    queueMs: config.queueSeconds * 1_000,
    slots: (variant) => turns.slots(variant),
  })

  const hubs = new Hubs(env, db, log)
  await hubs.start()
  const presence = new Presence(env, db, log, hubId)
  const links = new Links({
    env,
    log,
    hubId,
    presence,
    knows,
    hubs: () => hubs.links(),
    places: {
      joined: (place) => turns.join(seatFor(place)),
      changed: (place) => turns.change(seatFor(place)),
      left: ({ hostId, variant }) => turns.leave(hostId, variant),
    },
  })
  const revoked = new RevokedTokens(env, db, log, (tokenIds) => links.revoke(tokenIds))
  revoked.start()
  const door = new Door({
    env,
    log,
    enrolment: new Enrolment(env, db),
    links,
    knows,
    allowSimulated: config.allowSimulated,
  })

  const onces = new Onces(env, db, ledger, log)
  onces.start()

  const platform: Platform = {
    ...{ env, config, db, log, seal, version, keyring, offers, turns, ledger, meter, running, strangers, onces },
    limits: new Limits(env, config),
    budgets: new Budgets(env),
    bodies: new Bodies(env),
    connections: new WeakMap(),
    prices: startPrices,
    nameHost: (hostId, account) => `host_${seal.name('host', `${hostId} ${account}`)}`,
    cacheSalt: (account) => seal.name('cache', account),
  }
  let ready = true
  const pages = new Elysia()
    .get('/healthz', () => 'ok')
    .get('/readyz', () => new Response(ready ? 'ready' : 'stopping', { status: ready ? 200 : 503 }))
    .use(apiDocument(platform))
    .use(platformApi(platform))
    .onError(({ code, error, request }) =>
      refusal(platform, request, newId(env, 'req'), code === 'NOT_FOUND' ? notFound(request) : error),
    )
  const notFound = (request: Request) => wrongMethodOf(pages.routes, request) ?? nothingHere()

  return {
    door,
    platform,
    websocket: door.websocket,
    async fetch(request, server) {
      const { pathname } = new URL(request.url)
      const connection = new Connection(request, server, proxies)
      if (allowedHosts && !allowedHosts.has(nameOf(request)) && !isProbe(pathname))
        return refusal(platform, request, newId(env, 'req'), otherHost())
      // Ahead of everything else, since these are nearly all of the traffic.
      const inference = inferenceRoute(pathname)
      if (inference) return answerInference(platform, inference, request, connection)
      if (pathname === '/hosts/link') return linkHost(request, server, connection)
      platform.connections.set(request, connection)
      return pages.fetch(request)
    },
    async drain(graceMs) {
      ready = false
      running.close()
      door.close()
      const waited = new AbortController()
      await Promise.race([running.empty(), sleep(env, graceMs, waited.signal)])
      waited.abort()
      return running.size
    },
    async close() {
      revoked.stop()
      onces.stop()
      hubs.stop()
      links.stop()
      offers.close()
      keyring.close()
      meter.close()
      await presence.flush()
      await ledger.close()
    },
  }

  /** Hosts with wrong tokens are strangers, too. */
  async function linkHost(request: Request, server: Server<Visitor>, connection: Connection) {
    const response = await door.upgrade(request, server)
    try {
      if (response?.status === 401) strangers.count('wrongKeys', connection.address())
      return response
    } catch (error) {
      return refusal(platform, request, newId(env, 'req'), error)
    }
  }

  function knows(model: string): string | null {
    const offer = findOffer(model)
    return offer && offers.find(offer.id) ? offer.id : null
  }
}

/** The name a client used for this hub, without a port. */
function nameOf(request: Request): string {
  return (request.headers.get('host') ?? '').toLowerCase().replace(/:\d+$/, '')
}

/** What load balancers ask, by address. */
function isProbe(pathname: string): boolean {
  return pathname === '/healthz' || pathname === '/readyz'
}

function otherHost(): HubError {
  return new HubError('misdirected_request', 'This hub does not answer by that name. Check the base address you use.')
}

function nothingHere(): HubError {
  return new HubError(
    'not_found',
    'There is nothing at this address. The API is under /v1; GET /openapi.json describes the rest.',
  )
}
