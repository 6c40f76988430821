// Hosts that say what a test wants them to say, and a tunnel without database or network to say it to.
import { decode, encode, encodeData, encodeJson, type Frame, leadingU32 } from '../../sdk/wire/codec.ts'
import {
  type Ask,
  BEAT_MS,
  type FromHost,
  type FromHub,
  type Hello,
  type HostState,
  kind,
  PROTOCOL,
  readAsk,
  readFromHub,
  type Refused,
  type Serving,
  type Welcome,
  type Wish,
} from '../../sdk/wire/frames.ts'
import type { Env } from '../../sdk/env.ts'
import { type SocketEnd, type SocketPair, socketPair, type VirtualEnv, virtualEnv } from '../../sdk/testing.ts'
import type { LinkState } from '../../db/schema/fleet.ts'
import { type Log, silentLog } from '../log.ts'
import { Standing } from '../routing/standing.ts'
import { Turns } from '../routing/turns.ts'
import type { AttemptEvents, Failure } from './attempt.ts'
import { Awake } from './awake.ts'
import type { Knows } from './hello.ts'
import type { NetworkWatch } from './link.ts'
import { Links } from './links.ts'
import { Rate } from './rate.ts'
import { PER_MACHINE, Visit } from './visit.ts'

const utf8 = new TextEncoder()
const text = new TextDecoder()

/** What a fake host does with a request once its body is complete. */
export type Script = (call: Call) => void | Promise<void>

export interface FakeHostOptions {
  machine?: string
  hello?: Partial<Hello>
  /** Model ids on offer, with `serving` for more; the default is `test/model`. */
  models?: string[]
  serving?: Partial<Serving>
  script?: Script
  /** False: the host never sends a beat. */
  beats?: boolean
  /** It answers echoes, after so long; absent: like an old agent, not at all. */
  echoesAfterMs?: number
  /** Which start of the agent this is; one that has a name closes its socket when it is refused, as agents do. */
  run?: string
}

/** A host at the far end of a socket. It says hello at once. */
export class FakeHost {
  welcome: Welcome | null = null
  refused: Refused | null = null
  closedWith: { code: number; reason: string } | null = null
  readonly wishes: Wish[] = []
  /** Requests, in the order in which they were asked. */
  readonly calls: Call[] = []
  beats = 0
  /** Lists of hubs that came in beats. */
  readonly hubs: string[][] = []
  private mute = false

  constructor(
    private readonly env: Env,
    private readonly end: SocketEnd,
    private readonly options: FakeHostOptions = {},
  ) {
    end.open({
      message: (bytes) => decode(bytes, (frame) => this.receive(frame)),
      closed: (code, reason) => {
        this.closedWith = { code, reason }
      },
    })
    this.say(helloOf(options))
  }

  get hostId(): string {
    if (!this.welcome) throw new Error('this host was not welcomed')
    return this.welcome.host
  }

  say(control: FromHost): void {
    this.send(encodeJson(0, kind.control, control))
  }

  status(state: HostState, serving = servingOf(this.options)): void {
    this.say({ type: 'status', epoch: this.welcome?.epoch ?? 0, state, serving })
  }

  /** Any bytes at all, as one message. */
  send(message: Uint8Array): void {
    if (!this.mute) this.end.socket.send(message)
  }

  /** Says nothing more, though the socket stays. */
  goSilent(): void {
    this.mute = true
  }

  close(code = 1000): void {
    this.end.socket.close(code, '')
  }

  private receive({ stream, kind: what, payload }: Frame): void {
    if (what === kind.control) return this.heard(readFromHub(payload))
    if (what === kind.ask) return void this.calls.push(new Call(this, stream, readAsk(payload)))
    const call = this.calls.find((other) => other.stream === stream)
    if (!call) throw new Error(`the hub used stream ${stream} without an ask`)
    if (what === kind.cancel) call.cancelled = true
    if (what === kind.credit) call.credited(leadingU32(payload))
    if (what === kind.body && call.received(payload)) void this.options.script?.(call)
  }

  private heard(control: FromHub): void {
    if (control.type === 'beat') this.beats++
    if (control.type === 'beat' && control.hubs) this.hubs.push(control.hubs)
    if (control.type === 'beat' && control.answer && this.options.beats !== false)
      this.say({ type: 'beat', epoch: control.epoch })
    if (control.type === 'beat' && control.echo !== undefined) this.echo(control.epoch, control.echo)
    if (control.type === 'refused') this.refused = control
    if (control.type === 'refused' && this.options.run && !this.mute) this.close(1000)
    if (control.type === 'wish') this.wishes.push(control)
    if (control.type !== 'welcome') return
    this.welcome = control
    if (this.options.beats !== false) this.beat(control.epoch)
  }

  private echo(epoch: number, echo: number): void {
    const { echoesAfterMs } = this.options
    if (echoesAfterMs === undefined) return
    this.env.timer(echoesAfterMs, () => this.say({ type: 'beat', epoch, echo }))
  }

  private beat(epoch: number): void {
    this.env.timer(BEAT_MS, () => {
      if (this.closedWith || this.mute) return
      this.say({ type: 'beat', epoch, running: this.calls.length, waiting: 0 })
      this.beat(epoch)
    })
  }
}

/** One attempt as its host sees it. Every word a host can say, in any order, true or not. */
export class Call {
  cancelled = false
  /** Engine bytes the hub has allowed beyond the first window. */
  credit = 0
  private bytes: Uint8Array[] = []
  private receivedBytes = 0
  private sentBytes = 0
  private sequence = 0
  private mayGoOn: (() => void) | null = null

  constructor(
    private readonly host: FakeHost,
    readonly stream: number,
    readonly ask: Ask,
  ) {}

  get body(): string {
    return text.decode(Buffer.concat(this.bytes))
  }

  answer(status = 200, attempt = this.ask.attempt): void {
    this.host.send(encodeJson(this.stream, kind.answer, { attempt, status }))
  }

  /** One data frame, whatever the window; numbered in order unless told otherwise. */
  data(bytes: string | Uint8Array, sequence = this.sequence): void {
    const raw = typeof bytes === 'string' ? utf8.encode(bytes) : bytes
    this.host.send(encodeData(this.stream, sequence, raw))
    this.sequence = sequence + 1
    this.sentBytes += raw.length
  }

  end(frames = this.sequence, attempt = this.ask.attempt): void {
    this.host.send(encodeJson(this.stream, kind.end, { attempt, frames }))
  }

  fail(whose: 'engine' | 'host' | 'refused', code: string, attempt = this.ask.attempt): void {
    this.host.send(encodeJson(this.stream, kind.fail, { attempt, class: whose, code, message: 'as the test wants' }))
  }

  /** Resolves when `bytes` more may be sent. */
  async room(bytes: number): Promise<void> {
    while (this.sentBytes + bytes > this.ask.windowBytes + this.credit)
      await new Promise<void>((resolve) => {
        this.mayGoOn = resolve
      })
  }

  credited(bytes: number): void {
    this.credit += bytes
    this.mayGoOn?.()
  }

  /** True when this was the last of it. */
  received(bytes: Uint8Array): boolean {
    this.bytes.push(bytes.slice())
    this.receivedBytes += bytes.length
    return this.receivedBytes === this.ask.bodyBytes
  }
}

/** An honest answer, in pieces, as far as credit goes. */
export function says(words: string, pieceBytes = 16): Script {
  return async (call) => {
    const bytes = utf8.encode(words)
    call.answer()
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      const piece = bytes.subarray(at, at + pieceBytes)
      await call.room(piece.length)
      call.data(piece)
    }
    call.end()
  }
}

/** Sends more than any window allows. */
export const floods: Script = (call) => {
  call.answer()
  for (let sent = 0; sent <= call.ask.windowBytes; sent += 16_384) call.data(new Uint8Array(16_384))
}

/** Sends one piece twice. */
export const replays: Script = (call) => {
  call.answer()
  call.data('once', 0)
  call.data('once', 0)
}

/** Sends pieces in the wrong order. */
export const reorders: Script = (call) => {
  call.answer()
  call.data('first', 0)
  call.data('third', 2)
  call.data('second', 1)
}

/** Begins an answer and never goes on. */
export const stalls: Script = (call) => {
  call.answer()
  call.data('and then')
}

/** What became of one attempt. Consumes at once, unless told to hold back. */
export class Recorded implements AttemptEvents {
  quietTimes = 0
  readonly statuses: number[] = []
  text = ''
  ends = 0
  readonly failures: Failure[] = []
  credit: (bytes: number) => void = () => {}

  get over(): boolean {
    return this.ends + this.failures.length > 0
  }

  status(status: number): void {
    this.statuses.push(status)
  }

  data(bytes: Uint8Array): void {
    this.text += text.decode(bytes)
    this.credit(bytes.length)
  }

  quiet(): void {
    this.quietTimes++
  }

  end(): void {
    this.ends++
  }

  failed(failure: Failure): void {
    this.failures.push(failure)
  }
}

export interface TestTunnel {
  env: VirtualEnv
  links: Links
  turns: Turns
  standing: Standing
  /** Latest state written for each host. */
  present: Map<string, { state: LinkState; models: string[] }>
  /** A socket whose token was good and which has not said anything yet: `right` is the far end. */
  dial(machine?: string): SocketPair
  /** A host in memory. `pair` freezes, thaws and cuts its connection. */
  connect(options?: FakeHostOptions): { host: FakeHost; pair: SocketPair }
  /** A connected, welcomed host, by machine. */
  welcomed(machine: string, options?: FakeHostOptions): Promise<{ host: FakeHost; pair: SocketPair }>
  /** Asks `hostId`, and records what becomes of it. */
  ask(hostId: string, body?: string | Uint8Array, attempt?: number): Recorded & { cancel(): void }
}

const ALONE: string[] = []

/** Nobody looks at the connections. */
const unwatched: NetworkWatch = { joined: () => 0, due: () => false, measured() {}, left() {} }

/** Links, turns and a virtual clock. Machine `m` becomes host `host_m`, owned by `ada`. */
export function testTunnel(
  options: {
    env?: VirtualEnv
    log?: Log
    knows?: Knows
    allowSimulated?: boolean
    hubs?: () => string[]
    lock?: (host: { hostId: string; tokenIds: string[] }) => void
    network?: NetworkWatch
  } = {},
): TestTunnel {
  const {
    env = virtualEnv(),
    log = silentLog,
    knows = (model) => model,
    allowSimulated = true,
    hubs = () => ALONE,
    lock = () => {},
    network = unwatched,
  } = options
  const turns = new Turns()
  const standing = new Standing({ env, turns, tripped: () => {} })
  const present: TestTunnel['present'] = new Map()
  const links = new Links({
    env,
    awake: new Awake(env, () => log.warn('hub stood still')),
    log,
    hubId: 'hub_test',
    knows,
    hubs,
    lock,
    presence: {
      set: (hostId, { state, models }) => void present.set(hostId, { state, models }),
      gone: (hostId) => void present.delete(hostId),
    },
    places: standing,
    network,
  })
  const enrolment = {
    host: async ({ machine }: { machine: string }) => ({
      id: `host_${machine}`,
      vetted: false,
      quarantined: false,
      belowNetwork: false,
    }),
  }
  const machines = new Rate(env, PER_MACHINE)
  const reception = { env, log, knows, allowSimulated, enrolment, links, machines }

  const dial = (machine = 'berlin') => {
    const pair = socketPair(env)
    const bearer = { tokenId: `token_${machine}`, ownerId: 'ada' }
    pair.left.open(new Visit(reception, bearer, pair.left.socket, () => {}))
    return pair
  }
  const connect = (host: FakeHostOptions = {}) => {
    const pair = dial(host.machine)
    return { host: new FakeHost(env, pair.right, host), pair }
  }
  return {
    env,
    links,
    turns,
    standing,
    present,
    dial,
    connect,
    async welcomed(machine, host = {}) {
      const connected = connect({ machine, ...host })
      await env.flush()
      return connected
    },
    ask(hostId, body = '{}', attempt = 1) {
      const link = links.get(hostId)
      if (!link) throw new Error(`${hostId} is not linked`)
      const recorded = new Recorded()
      const raw = typeof body === 'string' ? utf8.encode(body) : body
      const started = link.ask({ path: '/v1/chat/completions', model: 'test/model', attempt, body: raw }, recorded)
      recorded.credit = (bytes) => started.credit(bytes)
      return Object.assign(recorded, { cancel: () => started.cancel() })
    },
  }
}

/** A hello that every hub of a test would welcome. */
export function helloOf({ machine = 'berlin', run, hello = {}, ...options }: FakeHostOptions): Hello {
  return {
    type: 'hello',
    protocol: PROTOCOL,
    agent: 'test',
    machine,
    ...(run ? { run } : {}),
    name: machine,
    hardware: {
      gpus: [{ name: 'RTX 4090', memoryBytes: 24 * 2 ** 30, computeCapability: '8.9', uuid: null }],
      driver: '580.1',
      cpu: 'test',
      cores: 8,
      memoryBytes: 64 * 2 ** 30,
      os: 'Ubuntu 24.04',
      arch: 'x64',
      simulated: false,
    },
    serving: servingOf(options),
    state: 'ready',
    ...hello,
  }
}

function servingOf({ models = ['test/model'], serving = {} }: Pick<FakeHostOptions, 'models' | 'serving'>): Serving[] {
  const engine = { name: 'fake', version: null }
  return models.map((model) => ({ model, engine, contextTokens: 8_192, slots: 4, tokenIds: true, ...serving }))
}

/** A frame nobody asked for, for hosts that break rules. */
export function strayFrame(stream: number): Uint8Array {
  return encode(stream, kind.data, new Uint8Array(4))
}
