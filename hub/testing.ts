// A whole hub in one process, with clients and hosts that have names. The hub, the wire, the agent and the engine
// emulator are the real ones; what is missing is the network and, where a test wants it, the passing of time.
import { eq } from 'drizzle-orm'
import { type TestDatabase, testDatabase } from '../db/testing.ts'
import type { Dial } from '../host/tunnel/dial.ts'
import { HubLink } from '../host/tunnel/connect.ts'
import { Offer } from '../host/offer.ts'
import type { Engine as HostEngine } from '../host/engine/engine.ts'
import { Engine as Emulator, type Conduct, oracle, type OracleOptions, type Truth } from '../host/testing.ts'
import { type Env, newId, systemEnv } from '../sdk/env.ts'
import { formatUsd, type Money, parseUsd } from '../sdk/money.ts'
import { type SocketPair, socketPair, until, type VirtualEnv } from '../sdk/testing.ts'
import type { Serving } from '../sdk/wire/frames.ts'
import { type Config, readConfig } from './config.ts'
import { addHostToken } from './fleet/token.ts'
import { type Hub, type HubOptions, openHub } from './hub.ts'
import { addKey } from './identity/keys.ts'
import { addUser } from './identity/users.ts'
import { clientAccount, pendingAccount } from './ledger/chart.ts'
import { checkLedger } from './ledger/check.ts'
import { type StillEnv, stillEnv } from './ledger/testing.ts'
import { type Log, silentLog } from './log.ts'

export const MODEL = 'gpuhub/emulator'
export const HUB_URL = 'http://hub.test'

export interface World {
  database?: 'sqlite' | 'postgres'
  /** Names and credit of clients: `{ ada: '$1' }`. */
  credit?: Record<string, string>
  /** Names of hosts, and how their engines behave. */
  hosts?: Record<string, Partial<Conduct>>
  config?: Partial<Config>
  pages?: HubOptions['pages']
  releases?: HubOptions['releases']
  log?: Log
}

/**
 * What a host does to each event of its engine's streams (`data: …`, without the blank line, numbered from 0): passes
 * it on, changed or not, or ends there. Null: it leaves the event out.
 */
export type Tamper = (event: string, place: number) => string | null | { ends: 'cut' | 'eof' | 'hang' }

export interface Machine {
  /** False: it says that its card is a real one. */
  simulated?: boolean
  /** A newer program that it went back from. */
  failedUpdate?: string
  /** What it offers; by default the emulated model. */
  model?: string
  contextTokens?: number
  /** Its engine reports token ids, and takes them for a prompt. */
  tokenIds?: boolean
  tamper?: Tamper
  /** Conduct of one request alone, judged by the token ids of its prompt. */
  except?: (prompt: readonly number[]) => Partial<Conduct>
}

export interface TestHost {
  name: string
  id: string
  ownerId: string
  token: string
  engine: Emulator
  /** What the hub asked of it. */
  wishes: string[]
  /** The cable is pulled: nothing arrives at either end any more, and nobody is told. */
  freeze(): void
  /** The connection is lost; the host dials again. */
  cut(): void
  /** The machine is gone for good. */
  kill(): void
  /** Its owner ends it in good order. */
  leave(): Promise<void>
  /** It has all it can take, and refuses the rest. */
  fill(): void
  /** Its owner wants the card back: nothing new, and what runs finishes or, `now`, is given back to the hub. */
  stop(how: 'soon' | 'now'): void
}

export interface TestClient {
  userId: string
  keyId: string
  key: string
  account: string
  fetch(path: string, init?: RequestInit): Promise<Response>
  /** A chat request; the whole `Response`. */
  chat(text: string, more?: object, init?: RequestInit): Promise<Response>
  /** What the emulated model says to that text, with those parameters. */
  truth(text: string, more?: object, options?: OracleOptions): Truth
}

export interface TestHub {
  env: VirtualEnv
  hub: Hub
  world: TestDatabase
  as(name: string): TestClient
  host(name: string): TestHost
  addHost(name: string, conduct?: Partial<Conduct>, has?: Machine): Promise<TestHost>
  /** The process is stopped for so long: clocks go on, and timers that are due meanwhile run late. */
  stall(ms: number): void
  /** What every client has left and every host has earned, by name, as people write it. */
  balances(): Promise<Record<string, string>>
  fees(): Promise<string>
  /** The books are right and nothing is held any more. Closes everything. */
  [Symbol.asyncDispose](): Promise<void>
}

/** The books' clock, and a process that can be stopped. */
function stallingEnv(): StillEnv & Pick<TestHub, 'stall'> {
  const env = stillEnv()
  let stalledMs = 0
  return { ...env, mono: () => env.mono() + stalledMs, stall: (ms) => void (stalledMs += ms) }
}

export async function startHub({
  database = 'sqlite',
  credit = {},
  hosts = {},
  config = {},
  pages,
  releases,
  log = silentLog,
}: World = {}): Promise<TestHub> {
  const env = stallingEnv()
  const world = await testDatabase(database)
  const settings = { ...readConfig({ GPUHUB_ALLOW_SIMULATED: '1' }), ...config }
  // Here an echo waits for the next time the clock is moved, which says nothing about a line.
  const patience = { name: 'hostRoundTripMs', value: 60_000, changedAt: 0 }
  await world.db.query.insert(world.db.tables.settings).values(patience)
  const hub = await openHub({
    env,
    config: settings,
    db: world.db,
    log,
    secret: 'a secret that only tests know, and everybody may',
    version: 'test',
    url: () => HUB_URL,
    writer: 'inline',
    releases,
    pages,
  })
  env.waitFor(hub.platform.ledger)
  const clients = new Map<string, TestClient>()
  const machines = new Map<string, TestHost>()
  for (const [name, amount] of Object.entries(credit))
    clients.set(name, await client(env, world, hub, name, parseUsd(amount)))

  const addHost = async (name: string, conduct: Partial<Conduct> = {}, has: Machine = {}) => {
    const host = await link(env, world, hub, name, conduct, { ...usualMachine, ...has })
    machines.set(name, host)
    return host
  }
  for (const [name, conduct] of Object.entries(hosts)) await addHost(name, conduct)

  const balanceOf = async (account: string): Promise<Money> => {
    const { accounts } = world.db.tables
    const [row] = await world.db.query.select().from(accounts).where(eq(accounts.id, account))
    return row?.balance ?? 0n
  }
  return {
    env,
    hub,
    world,
    stall: env.stall,
    as: (name) => known(clients, name),
    host: (name) => known(machines, name),
    addHost,
    async balances() {
      const named: Record<string, string> = {}
      for (const [name, { account }] of clients) named[name] = formatUsd(await balanceOf(account))
      for (const [name, { id }] of machines) named[name] = formatUsd(await balanceOf(pendingAccount(id)))
      return named
    },
    async fees() {
      const { entries } = world.db.tables
      const rows = await world.db.query
        .select({ amount: entries.amount })
        .from(entries)
        .where(eq(entries.account, 'platform:fees'))
      return formatUsd(rows.reduce((sum, row) => sum + row.amount, 0n))
    },
    async [Symbol.asyncDispose]() {
      for (const { engine } of machines.values()) engine.release()
      let closed = false
      const closing = hub.close().finally(() => (closed = true))
      await Promise.race([closing, Bun.sleep(1_000)])
      // What waits for a moment to try once more, or for a host that says nothing, must not wait for ever.
      for (; !closed; await Bun.sleep(2)) await env.advance(20)
      await closing
      const report = await checkLedger(world.db)
      await world.drop()
      if (!report.ok)
        throw new Error(
          `the books are wrong: ${JSON.stringify(report, (_, value) => (typeof value === 'bigint' ? String(value) : value))}`,
        )
    },
  }
}

async function client(env: Env, world: TestDatabase, hub: Hub, name: string, credit: Money): Promise<TestClient> {
  const user = await addUser(env, world.db, { email: `${name}@example.com`, roles: ['client'] })
  const { id: keyId, key } = await addKey(env, world.db, { userId: user.id, name })
  const account = clientAccount(user.id)
  if (credit > 0n)
    await hub.platform.ledger.credit({ account, amount: credit, key: `credit:${user.id}`, note: 'test credit' })
  const fetch = async (path: string, init: RequestInit = {}) => {
    const headers = new Headers(init.headers)
    headers.set('authorization', `Bearer ${key}`)
    if (init.body) headers.set('content-type', 'application/json')
    const server = { timeout() {}, requestIP: () => null } as unknown as Parameters<Hub['fetch']>[1]
    const response = await hub.fetch(new Request(`http://hub.test${path}`, { ...init, headers }), server)
    if (!response) throw new Error('the hub answered with a WebSocket')
    return response
  }
  const body = (text: string, more: object) => ({ model: MODEL, messages: [{ role: 'user', content: text }], ...more })
  return {
    userId: user.id,
    keyId,
    key,
    account,
    fetch,
    chat: (text, more = {}, init = {}) =>
      fetch('/v1/chat/completions', { method: 'POST', body: JSON.stringify(body(text, more)), ...init }),
    truth: (text, more = {}, options = {}) => oracle(body(text, more), options),
  }
}

/** A host whose agent and engine run here, linked over a pair of sockets in memory. */
async function link(
  env: Env,
  world: TestDatabase,
  hub: Hub,
  name: string,
  conduct: Partial<Conduct>,
  machine: typeof usualMachine & Machine,
): Promise<TestHost> {
  const owner = await addUser(env, world.db, { email: `${name}@hosts.example.com`, roles: ['host'] })
  const { token } = await addHostToken(env, world.db, { ownerId: owner.id, name })
  const engine = new Emulator({
    ...conduct,
    contextTokens: machine.contextTokens,
    except: machine.except,
    env: systemEnv,
  })
  const pairs: SocketPair[] = []
  let dead = false
  const dial = dialTo(env, hub, (pair) => {
    if (!dead) pairs.push(pair)
    return !dead
  })
  const linked = Promise.withResolvers<string>()
  const wishes: string[] = []
  const { simulated = true, failedUpdate } = machine
  const identity = {
    ...{ agent: 'test', machine: newId(env, 'machine'), name, hardware: { ...simulatedCard, simulated } },
    ...(failedUpdate === undefined ? {} : { failedUpdate }),
  }
  const offer = new Offer(emulated(engine, machine))
  const hubLink = new HubLink(
    'ws://hub.test/hosts/link',
    { env, dial, token, identity, offer, engineTrouble() {} },
    {
      linked: ({ host }) => linked.resolve(host),
      wish: (wish) => void wishes.push(wish),
      hubs() {},
      unregistered() {},
      lost() {},
      ended: (why) => linked.reject(new Error(why)),
    },
  )
  const id = await linked.promise
  const last = () => pairs[pairs.length - 1]!
  return {
    name,
    id,
    ownerId: owner.id,
    token,
    engine,
    wishes,
    freeze: () => last().freeze(),
    cut: () => last().cut(),
    kill() {
      dead = true
      last().cut()
    },
    async leave() {
      offer.hold('owner', 'the owner stops it')
      hubLink.announce()
      await until('the hub sends nothing new', () => hubLink.unregistered())
      hubLink.close('the host is stopping')
    },
    fill: () => void (offer.full = () => true),
    stop(how) {
      offer.hold('owner', 'the owner stops it')
      hubLink.announce()
      if (how === 'now') hubLink.handBack()
    },
  }
}

/** Links in memory. `made` is told of each, and may say that it never comes through. */
export function dialTo(env: Env, hub: Hub, made: (pair: SocketPair) => boolean): Dial {
  return (_address, bearer, events) => {
    const pair = socketPair(env)
    if (!made(pair)) return pair.left.socket
    void hub.door.receive(bearer, pair.right.socket).then((received) => {
      pair.right.open(received)
      pair.left.open(events)
      events.opened()
    })
    return pair.left.socket
  }
}

const usualMachine = { contextTokens: 32_768, tokenIds: true }

/** The agent's view of the emulator, without a port. */
export function emulated(engine: Emulator, has: Machine = {}): HostEngine {
  const { model = MODEL, contextTokens, tokenIds, tamper } = { ...usualMachine, ...has }
  const serving: Serving[] = [
    { model, engine: { name: 'emulator', version: null }, contextTokens, slots: 64, tokenIds },
  ]
  return {
    async start() {},
    serving: () => serving,
    async ask({ path, body }, signal) {
      // As the agent does: the engine has its own name for the model.
      const asked = { ...JSON.parse(new TextDecoder().decode(body)), model: engine.model }
      const headers = { 'content-type': 'application/json' }
      const request = new Request(`http://engine.test${path}`, {
        method: 'POST',
        body: JSON.stringify(asked),
        headers,
        signal,
      })
      const response = await engine.fetch(request)
      const bytes: ReadableStream<Uint8Array> = response.body ?? new ReadableStream()
      return { status: response.status, bytes: tamper && response.ok ? tampered(bytes, tamper) : bytes }
    },
    alive: async () => true,
    async stop() {},
  }
}

function tampered(bytes: ReadableStream<Uint8Array>, tamper: Tamper): ReadableStream<Uint8Array> {
  const source = bytes.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  let place = 0
  return new ReadableStream({
    async start(controller) {
      for (let part = await source.read(); !part.done; part = await source.read()) {
        const events = (rest + decoder.decode(part.value, { stream: true })).split('\n\n')
        rest = events.pop()!
        for (const event of events) {
          const words = tamper(event, place++)
          if (words === null) continue
          if (typeof words === 'string') controller.enqueue(new TextEncoder().encode(`${words}\n\n`))
          else {
            if (words.ends === 'hang') return
            void source.cancel()
            // What was sent before arrives before.
            while (controller.desiredSize !== 1) await new Promise((resolve) => setImmediate(resolve))
            return words.ends === 'cut' ? controller.error(new Error('cut')) : controller.close()
          }
        }
      }
      controller.close()
    },
    cancel: () => source.cancel(),
  })
}

export const simulatedCard = {
  gpus: [{ name: 'RTX 4090', memoryBytes: 24 * 2 ** 30, computeCapability: '8.9', uuid: null }],
  driver: null,
  cpu: 'test',
  cores: 1,
  memoryBytes: 2 ** 34,
  os: 'test',
  arch: 'x64',
  simulated: true,
}

function known<T>(named: Map<string, T>, name: string): T {
  const found = named.get(name)
  if (!found) throw new Error(`nobody in this world is called ${name}`)
  return found
}
