// One hub: makes each part once, wires them, and mounts the doors. Everything it touches comes in through `openHub`.
import type { Server, WebSocketHandler } from 'bun'
import { Elysia } from 'elysia'
import type { Db } from '../db/open.ts'
import { type Env, newId, sleep } from '../sdk/env.ts'
import { findOffer } from './catalog/find.ts'
import { type Counting, Offers } from './catalog/offers.ts'
import type { TokenizerName } from './catalog/records.ts'
import type { Config } from './config.ts'
import { HubError } from './errors.ts'
import { Doubles } from './fleet/doubles.ts'
import { Enrolment } from './fleet/enrol.ts'
import { FailureBook } from './fleet/failures.ts'
import { Hubs } from './fleet/hubs.ts'
import { lockHost } from './fleet/locks.ts'
import { NetworkBook } from './fleet/network-book.ts'
import { NETWORK_EVERY_MS, NetworkRound, tellOfNetwork } from './fleet/network-round.ts'
import { Presence } from './fleet/presence.ts'
import { RevokedTokens } from './fleet/revoked.ts'
import { sweepDevices } from './fleet/sign-in.ts'
import { Bodies } from './gateway/body.ts'
import { Budgets } from './gateway/budgets.ts'
import { Connection } from './gateway/connection.ts'
import { answerDownload, type Releases, Shelf } from './gateway/downloads.ts'
import { Entrance } from './gateway/entrance.ts'
import { wrongMethodOf } from './gateway/methods.ts'
import { Onces } from './gateway/onces.ts'
import { Quotas } from './gateway/quotas.ts'
import { answerInference, inferenceRoute, refusal } from './gateway/openai.ts'
import { hostingApi } from './gateway/hosting.ts'
import { networkApi } from './gateway/network.ts'
import { peopleApi } from './gateway/people.ts'
import { apiDocument, type Platform, platformApi } from './gateway/platform.ts'
import { Live } from './gateway/live.ts'
import { OneByOne } from './gateway/one-by-one.ts'
import type { Run } from './gateway/run.ts'
import { Running } from './gateway/running.ts'
import { Strangers } from './gateway/strangers.ts'
import { checkHost } from './gateway/host-check.ts'
import { Keyring } from './identity/keyring.ts'
import { lookForAlarms, tellAlarms } from './jobs/alarms.ts'
import { Jobs } from './jobs/jobs.ts'
import { lookForNews, NEWS_EVERY_MS } from './jobs/news.ts'
import { webhook } from './jobs/webhook.ts'
import { identityJobs, openIdentity } from './identity/open.ts'
import { Seal } from './identity/seal.ts'
import { Ledger } from './ledger/ledger.ts'
import { rollUp } from './ledger/roll-up.ts'
import type { Log } from './log.ts'
import { openingPrices } from './market/book.ts'
import { Meter } from './metering/meter.ts'
import { handTokenizer, hasTokenizer, isImported, loadTokenizer } from './metering/tokenizers.ts'
import { Policy } from './policy/policy.ts'
import { forgetReporters } from './policy/reports.ts'
import { Health } from './routing/health.ts'
import { Standing } from './routing/standing.ts'
import { Turns } from './routing/turns.ts'
import { CHECKS_EVERY_MS, HostChecks } from './verification/host-checks.ts'
import { vetByRecord, VETTING_EVERY_MS } from './verification/vetting.ts'
import { Awake } from './tunnel/awake.ts'
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
  /** Where people reach this deployment, without a slash at the end; links in letters lead there. */
  url: () => string
  /** Where settlements are committed: `worker` on a thread of its own, `inline` on this one, for tests and simulation. */
  writer: 'worker' | 'inline'
  /** No other hub shares this database, so whoever is enrolled is dead. By default so on SQLite. */
  alone?: boolean
  /** The host program to hand out; by default none. */
  releases?: Releases
  /** The pages, which this room knows nothing of; null: not a page's address. */
  pages?: (hub: Platform, request: Request, connection: Connection) => Promise<Response | null>
}

export interface Hub {
  /** Answers one request; nothing when it became a WebSocket. */
  fetch(request: Request, server: Server<Visitor>): Promise<Response | undefined>
  websocket: WebSocketHandler<Visitor>
  /** Lets hosts be linked without a network, in tests and the simulator. */
  door: Door
  platform: Platform
  /**
   * Takes nothing new, and waits for what runs, `graceMs` at most; then ends what is left with a word to its client,
   * and lets the hosts go. @returns how many requests were left.
   */
  drain(graceMs: number): Promise<number>
  /** Writes what is to be written and leaves. */
  close(): Promise<void>
}

export async function openHub(options: HubOptions): Promise<Hub> {
  const { env, config, db, log, secret, version, url, writer, alone, releases = null, pages } = options
  const hubId = newId(env, 'hub')
  const awake = new Awake(env, (ms) => log.warn('hub stood still', { ms: Math.round(ms) }))
  // A hub that stood still has not waited for its books: it gave them no time.
  const patient: Env = { ...env, mono: () => awake.mono(), timer: (ms, work) => awake.timer(ms, work) }
  const presence = new Presence(env, db, log, hubId)
  const ledger = await Ledger.open(patient, db, {
    hubId,
    enrolledAnew: (id) => presence.movesTo(id),
    selfUrl: config.selfUrl || null,
    feePpm: config.feePpm,
    writer,
    alone,
    log,
  })
  const offers = await Offers.open(env, db, { simulated: config.allowSimulated, counting: counting(log) })
  const seal = new Seal(secret)
  const keyring = new Keyring({ env, db, log })
  const policy = await Policy.open(env, db)
  const people = openIdentity({ env, db, log, seal, policy, url, credit: (gift) => ledger.credit(gift) }, config)
  const { identity } = people
  const meter = new Meter()
  const turns = new Turns({
    grown: (variant) => running.grown(variant),
    unvettedShare: () => policy.current().unvettedTrafficPercent / 100,
  })
  const live = new Live<Run>()
  const moves = new OneByOne(env)
  const entrance = new Entrance(config.allowedHosts)
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
  const standing = new Standing({ env, turns, tripped: (hostId, variants) => presence.tripped(hostId, variants) })
  const failures = new FailureBook(env, db, log)
  const health = new Health({
    standing,
    mostFirstTokenMs: (config.firstTokenSeconds * 1_000) / Math.min(2, config.attempts),
    note: (failure) => failures.note(failure),
  })
  const network = new NetworkBook(env, db, log, () => ledger.hubId)
  const links = new Links({
    env,
    network,
    awake,
    log,
    hubId,
    presence,
    knows,
    hubs: () => hubs.links(),
    lock: (host) =>
      void lockHost(env, db, host).catch((error) =>
        log.error('a host could not be locked', { host: host.hostId, error: String(error) }),
      ),
    places: standing,
  })
  const revoked = new RevokedTokens(env, db, log, links)
  revoked.start()
  const doubles = new Doubles(env, db, log, () => hubs.alone())
  doubles.start()
  const enrolment = new Enrolment(env, db)
  const door = new Door({
    env,
    log,
    enrolment: new Enrolment(env, db, { policy, news: identity.news }),
    links,
    knows,
    allowSimulated: config.allowSimulated,
  })

  const onces = new Onces(env, db, ledger, log)

  const stopping = new AbortController()
  const platform: Platform = {
    ...{
      env,
      config,
      db,
      log,
      seal,
      version,
      releases,
      identity,
      policy,
      keyring,
      offers,
      turns,
      health,
      awake,
      ledger,
      meter,
      running,
      live,
      moves,
      strangers,
      onces,
    },
    quotas: new Quotas(env, config, () => policy.current().requestsPerMinute),
    budgets: new Budgets(env),
    bodies: new Bodies(env),
    prices: openingPrices(offers),
    stopping: stopping.signal,
    apiDocument: async () => (await api.fetch(new Request('http://localhost/openapi.json'))).json(),
    hostBearer: (token, proof) => enrolment.bearer(token, proof),
    wish(hostId, wish, reason) {
      const link = links.get(hostId)
      link?.wish(wish, reason)
      return link !== undefined
    },
    nameHost: (hostId, account) => `host_${seal.name('host', `${hostId} ${account}`)}`,
    cacheSalt: (account) => seal.name('cache', account),
  }
  const alarms = {
    ...{ env, db, log, url, news: identity.news },
    offered: () => offers.all().map(({ id }) => id),
    webhook: () => policy.current().alertWebhook,
    post: webhook({ env, seal, allowPrivate: config.alertPrivate }),
  }
  const shelf = releases ? new Shelf(releases) : null
  const networks = new NetworkRound({
    env,
    db,
    log,
    policy,
    told: (tx, told) => tellOfNetwork(identity.news, tx, told),
  })
  const checks = new HostChecks({ env, db, log, hubId: () => ledger.hubId, ask: (seat) => checkHost(platform, seat) })
  const jobs = new Jobs(env, log, [
    { name: 'sum up traffic', everyMs: 60_000, run: () => rollUp(db, env.now()) },
    { name: 'forget idempotency keys', everyMs: 60_000, run: () => onces.tidy() },
    ...identityJobs(identity),
    { name: 'judge networks', everyMs: NETWORK_EVERY_MS, run: () => networks.run() },
    { name: 'tell news', everyMs: NEWS_EVERY_MS, run: () => lookForNews({ env, db, policy, news: identity.news }) },
    { name: 'ask new hosts', everyMs: CHECKS_EVERY_MS, run: () => checks.run() },
    { name: 'vet hosts', everyMs: VETTING_EVERY_MS, run: () => vetByRecord(identity) },
    { name: 'look for alarms', everyMs: 30_000, run: () => lookForAlarms(alarms) },
    { name: 'tell alarms', everyMs: 5_000, run: () => tellAlarms(alarms) },
    { name: 'forget who reported', everyMs: 60 * 60_000, run: () => forgetReporters(env, db) },
    { name: 'forget machines that did not sign in', everyMs: 60 * 60_000, run: () => sweepDevices(env, db) },
    ...(shelf ? [{ name: 'announce releases', everyMs: 60_000, run: () => announce(shelf) }] : []),
  ])
  jobs.start()
  let ready = true
  // Else it looks for the path beyond the eleventh character, and finds another in the address of a hub with a short name.
  const api = new Elysia({ handler: { standardHostname: false } })
    .get('/healthz', () => 'ok')
    .get('/readyz', () => new Response(ready ? 'ready' : 'stopping', { status: ready ? 200 : 503 }))
    .use(apiDocument(platform))
    // Before it: what the platform API lets any origin read must not count here.
    .use(peopleApi(platform))
    .use(networkApi(platform))
    .use(hostingApi(platform))
    .use(platformApi(platform))
    .onError(({ code, error, request }) =>
      refusal(platform, request, newId(env, 'req'), code === 'NOT_FOUND' ? notFound(request) : error),
    )
  const notFound = (request: Request) => wrongMethodOf(api.routes, request) ?? nothingHere()

  return {
    door,
    platform,
    websocket: door.websocket,
    async fetch(request, server) {
      try {
        const pathname = entrance.pathOf(request)
        const connection = new Connection(request, server, identity.callers)
        // Ahead of everything else, since these are nearly all of the traffic.
        const inference = inferenceRoute(pathname, request)
        if (inference) return await answerInference(platform, inference, request, connection)
        const download = await answerDownload(platform, pathname, request, connection)
        if (download) return download
        if (pathname === '/hosts/link') return await door.upgrade(request, server, connection.address())
        identity.callers.note(request, server?.requestIP?.(request)?.address)
        return (await pages?.(platform, request, connection)) ?? (await api.fetch(request))
      } catch (error) {
        // Whatever goes wrong, no stranger sees a stack.
        return refusal(platform, request, newId(env, 'req'), error)
      }
    },
    async drain(graceMs) {
      ready = false
      stopping.abort()
      running.close()
      door.close()
      await within(
        env,
        graceMs,
        running.empty().then(() => live.empty()),
      )
      const left = running.size
      live.end()
      await within(env, LAST_WORDS_MS, live.empty())
      // Whose charge is still on its way is told so while there is somebody to tell it.
      ledger.hurry()
      // Hosts are told why.
      links.stop()
      return left
    },
    async close() {
      revoked.stop()
      doubles.stop()
      hubs.stop()
      links.stop()
      standing.stop()
      offers.close()
      policy.close()
      keyring.close()
      meter.close()
      // Whatever becomes of one, the others are tried: the ledger's grants and its place among the hubs come last.
      for (const leave of [
        () => jobs.stop(),
        () => people.close(),
        () => presence.flush(),
        () => network.flush(),
        () => failures.flush(),
        () => ledger.close(),
      ])
        await leave().catch((error) => log.error('not everything was left in order', { error: String(error) }))
    },
  }

  /** Hosts hear of it; each decides by itself, from the manifest, whether it is for it and when. */
  async function announce(shelf: Shelf): Promise<number> {
    const version = await shelf.news()
    if (version === null) return 0
    log.info('a new release of the host program', { version })
    links.wish('update', `gpuhost ${version} is here`)
    return 0
  }

  function knows(model: string): string | null {
    const offer = findOffer(model)
    return offer && offers.find(offer.id) ? offer.id : null
  }
}

/** Imported models' tokenizers are loaded as they come, not in the first request; one that cannot be is never counted with. */
function counting(log: Log): Counting {
  const broken = new Set<TokenizerName>()
  return {
    has: (name) => !broken.has(name) && (!isImported(name) || hasTokenizer(name)),
    hand(name, packed) {
      if (!isImported(name) || broken.has(name)) return
      try {
        handTokenizer(name, packed)
        loadTokenizer(name)
      } catch (error) {
        broken.add(name)
        log.error('an imported model cannot be counted with', { tokenizer: name, error: String(error) })
      }
    },
  }
}

/** How long clients may take to hear that this hub could not finish. */
const LAST_WORDS_MS = 2_000

async function within(env: Env, ms: number, event: Promise<void>): Promise<void> {
  const waited = new AbortController()
  await Promise.race([event, sleep(env, ms, waited.signal)])
  waited.abort()
}

function nothingHere(): HubError {
  return new HubError(
    'not_found',
    'There is nothing at this address. The API is under /v1; GET /openapi.json describes the rest.',
  )
}
