// One connected host: streams of the hub's asks out, engine bytes in. Everything that arrives is untrusted. What breaks
// a stream's rules costs that stream (attempt.ts); what breaks the wire's costs this link, never another.
import type { Cancel, Env } from '../../sdk/env.ts'
import { decode, encodeJson, type Frame } from '../../sdk/wire/codec.ts'
import {
  type Ask,
  type Beat,
  closeCode,
  type EnginePath,
  type FromHost,
  type FromHub,
  kind,
  MAX_STREAMS_PER_LINK,
  readAnswer,
  readEnd,
  readFail,
  readFromHost,
  type Status,
  WINDOW_BYTES,
  WireError,
  type Wish,
} from '../../sdk/wire/frames.ts'
import { Outbox, type Socket, type SocketEvents } from '../../sdk/wire/socket.ts'
import type { Log } from '../log.ts'
import type { Awake } from './awake.ts'
import { type Attempt, type AttemptEvents, type Failure, type Lane, Stream } from './attempt.ts'
import { Budget } from './budget.ts'
import { Uploads } from './uploads.ts'

export type { Attempt, AttemptEvents, Failure } from './attempt.ts'

/** Beyond this the host does not read at all: bodies stop far earlier (uploads.ts), the rest is small. */
const MOST_BEHIND_BYTES = 1024 * 1024
const MOST_STRANGERS = 3
const LAST_STREAM = 2 ** 32 - 1
/** RFC 6455: the other end closed; a message was larger than the socket takes; the server met the unexpected. */
const NORMAL = 1000
const MESSAGE_TOO_BIG = 1009
const INTERNAL = 1011

/** Who is at the other end, as the hub established it. */
export interface Identity {
  hostId: string
  ownerId: string
  tokenId: string
  simulated: boolean
  epoch: number
}

/** What the keeper of links is told. Called synchronously. */
export interface LinkEvents {
  status(link: Link, status: Status): void
  /** It does not answer. Called before its attempts are told, so that they do not come back. */
  quiet(link: Link): void
  /** It had gone quiet, and is heard again. */
  woke(link: Link): void
  /** Called once, before the attempts that ran here are told: who looks for another host must not find this one. */
  closed(link: Link): void
}

/** Hears how good the connections of hosts are. */
export interface NetworkWatch {
  /** A link is there. @returns its number, until it has left */
  joined(): number
  /** A beat goes out: whether it is to ask for an echo. */
  due(slot: number): boolean
  measured(host: { hostId: string; slot: number }, ms: number): void
  /** `lost`: not as anybody wished. */
  left(host: { hostId: string; slot: number }, lost: boolean): void
}

interface LinkWorld {
  env: Env
  awake: Awake
  log: Log
  /** Link addresses of every hub of the deployment; the same list until it changes. */
  hubs: () => string[]
  network: NetworkWatch
}

export class Link implements Lane, SocketEvents {
  readonly hostId: string
  readonly ownerId: string
  readonly tokenId: string
  readonly simulated: boolean
  readonly epoch: number
  /** When the last message came, by the awake clock; whatever it was: any sign of life counts. */
  heardAt: number
  /** As the host last said: requests running on the machine for all hubs, and waiting in its engine. */
  running = 0
  waiting = 0
  /** It has said that it takes nothing new. */
  draining = false
  /** It does not answer. Nothing new is given to it; what it was asked may go elsewhere. */
  quiet = false
  questionedAt: number | null = null
  /** Frames for streams that were over: normal after a cancel. */
  late = 0
  /** Link addresses of every hub, as this host was told. */
  named: string[]
  readonly slot: number
  readonly log: Log
  private readonly hubs: LinkWorld['hubs']
  private readonly env: Env
  private readonly awake: Awake
  private readonly network: NetworkWatch
  /** When the echo was asked for that is awaited; 0: none is. */
  private echoAt = 0
  private strangers = 0
  private lastStream = 0
  private open = true
  private parting: { stopWaiting: Cancel; alive: () => void } | null = null
  private readonly streams = new Map<number, Stream>()
  private readonly outbox: Outbox
  /** None until the first request: most of many hosts are idle. */
  private uploads: Uploads | null = null
  private readonly budget: Budget

  constructor(
    { env, awake, log, hubs, network }: LinkWorld,
    private readonly socket: Socket,
    identity: Identity,
    private readonly events: LinkEvents,
  ) {
    this.hostId = identity.hostId
    this.ownerId = identity.ownerId
    this.tokenId = identity.tokenId
    this.simulated = identity.simulated
    this.epoch = identity.epoch
    this.env = env
    this.awake = awake
    this.log = log
    this.hubs = hubs
    this.named = hubs()
    this.network = network
    this.slot = network.joined()
    this.heardAt = awake.mono()
    this.budget = new Budget(env)
    // Told on a later turn: whoever asks just now has no attempt in hand yet.
    this.outbox = new Outbox(env, socket, MOST_BEHIND_BYTES, (why) => env.soon(() => this.fallBehind(why)))
  }

  /** Starts one attempt of one request. Its events come later, never during this call. */
  ask(ask: { path: EnginePath; model: string; attempt: number; body: Uint8Array }, events: AttemptEvents): Attempt {
    const id = this.lastStream + 1
    const stream = new Stream(this, id, ask.attempt, events)
    const refusal = this.cannotAsk()
    if (refusal) {
      this.env.soon(() => stream.fail(refusal))
      return stream
    }
    this.lastStream = id
    this.streams.set(id, stream)
    const opening: Ask = {
      request: Buffer.from(this.env.random(16)).toString('hex'),
      attempt: ask.attempt,
      path: ask.path,
      model: ask.model,
      bodyBytes: ask.body.length,
      windowBytes: WINDOW_BYTES,
    }
    this.send(encodeJson(id, kind.ask, opening))
    this.uploads ??= new Uploads(this.env, this.outbox)
    this.uploads.add(id, ask.body)
    return stream
  }

  /** Asks the host for something; its owner's own word wins. */
  wish(wish: Wish['wish'], reason: string): void {
    this.say({ type: 'wish', epoch: this.epoch, wish, reason: reason.slice(0, 200) })
  }

  /** It does not answer: so that what it was asked can go elsewhere. Once, until it is heard again. */
  fellQuiet(): void {
    if (this.quiet) return
    this.quiet = true
    this.events.quiet(this)
    for (const stream of this.streams.values()) stream.quiet()
  }

  question(): void {
    if (this.questionedAt !== null) return
    this.questionedAt = this.awake.mono()
    this.say({ type: 'beat', epoch: this.epoch, answer: true })
  }

  beat(): void {
    const hubs = this.hubs()
    const beat: Beat = { type: 'beat', epoch: this.epoch }
    if (hubs !== this.named) beat.hubs = this.named = hubs
    if (this.network.due(this.slot)) {
      this.echoAt = this.awake.mono()
      beat.echo = Math.floor(this.echoAt)
    }
    this.say(beat)
  }

  /** What the hub itself was late by says nothing about the host. */
  private echoed(echo: number): void {
    if (this.echoAt === 0 || echo !== Math.floor(this.echoAt)) return
    const ms = this.awake.mono() - this.echoAt
    this.echoAt = 0
    if (!this.awake.late()) this.network.measured(this, ms)
  }

  /** Ends the link: the socket is closed with `code`, and every attempt on it fails with `failure`. */
  close(code: number, failure: Failure): void {
    if (!this.open) return
    this.outbox.flush()
    this.socket.close(code, failure.message)
    this.end(failure)
  }

  /**
   * Ends the link, but leaves it to the host to close the socket, `withinMs`. `alive` is called if it does: whoever is
   * gone, or was cut off, cannot.
   */
  dismiss(code: number, failure: Failure, { withinMs, alive }: { withinMs: number; alive: () => void }): void {
    if (!this.open) return
    this.outbox.flush()
    const stopWaiting = this.env.timer(withinMs, () => {
      this.parting = null
      this.socket.close(code, failure.message)
    })
    this.parting = { stopWaiting, alive }
    this.end(failure)
  }

  /** Attempts under way. */
  get streamCount(): number {
    return this.streams.size
  }

  message(bytes: Uint8Array): void {
    if (!this.open) return
    this.heardAt = this.awake.mono()
    this.questionedAt = null
    if (this.quiet) this.wake()
    let frames = 0
    try {
      decode(bytes, (frame) => {
        frames++
        if (this.open) this.receive(frame)
      })
    } catch (error) {
      return error instanceof WireError ? this.breach(error.message) : this.hubFailed(error)
    }
    if (this.budget.spend({ bytes: bytes.length, frames })) return
    this.close(closeCode.flooding, { class: 'host', code: 'flooding', message: 'The host sent too much.' })
  }

  closed(code: number): void {
    if (this.parting) {
      this.parting.stopWaiting()
      if (code === NORMAL) this.parting.alive()
      this.parting = null
    }
    if (code === closeCode.stopping && this.draining)
      return this.end({ class: 'host', code: 'left', message: 'The host said goodbye.' })
    if (code === MESSAGE_TOO_BIG) return this.end(malformed('The host sent an oversized message.'))
    this.end({ class: 'network', code: 'link_closed', message: 'The connection to the host was lost.' })
  }

  say(control: FromHub): void {
    this.send(encodeJson(0, kind.control, control))
  }

  send(frame: Uint8Array): void {
    this.outbox.send(frame)
  }

  over(stream: number): void {
    this.streams.delete(stream)
    this.uploads?.drop(stream)
  }

  private cannotAsk(): Failure | null {
    if (!this.open) return { class: 'network', code: 'link_closed', message: 'The host is not connected any more.' }
    if (this.streams.size >= MAX_STREAMS_PER_LINK)
      return { class: 'hub', code: 'link_full', message: 'This host has as many requests as one link carries.' }
    if (this.lastStream >= LAST_STREAM)
      return { class: 'hub', code: 'link_worn', message: 'This link has carried as many requests as it can number.' }
    return null
  }

  private receive(frame: Frame): void {
    if (frame.kind === kind.control) return this.control(readFromHost(frame.payload))
    const stream = this.streams.get(frame.stream)
    switch (frame.kind) {
      case kind.answer:
        return stream ? stream.answered(readAnswer(frame.payload)) : this.unknown(frame.stream)
      case kind.data:
        return stream ? stream.arrived(frame.payload) : this.unknown(frame.stream)
      case kind.end:
        return stream ? stream.ended(readEnd(frame.payload)) : this.unknown(frame.stream)
      case kind.fail:
        return stream ? stream.gaveUp(readFail(frame.payload)) : this.unknown(frame.stream)
      default:
        throw new WireError('the host sent a frame that only a hub sends')
    }
  }

  /** What speaks of another epoch was meant for another link, and is dropped. */
  private control(control: FromHost): void {
    if (control.type === 'hello') throw new WireError('the host said hello twice')
    if (control.epoch !== this.epoch) return
    if (control.type === 'status') return this.events.status(this, control)
    this.running = control.running ?? 0
    this.waiting = control.waiting ?? 0
    if (control.echo !== undefined) this.echoed(control.echo)
  }

  private wake(): void {
    this.quiet = false
    this.events.woke(this)
  }

  private unknown(stream: number): void {
    if (stream <= this.lastStream) return void this.late++
    if (++this.strangers >= MOST_STRANGERS) this.breach('the host used streams that were never opened')
  }

  private breach(message: string): void {
    this.log.warn('link broke the protocol', { host: this.hostId, why: message })
    this.close(closeCode.malformed, malformed('The host broke the protocol.'))
  }

  /** A bug of ours must not take the process, and its other links, with it. */
  private hubFailed(error: unknown): void {
    this.log.error('link failed inside the hub', { host: this.hostId, error: String(error) })
    this.close(INTERNAL, { class: 'hub', code: 'internal', message: 'The hub failed while it read from the host.' })
  }

  private fallBehind(why: string): void {
    this.log.warn('link fell behind', { host: this.hostId, why })
    this.close(closeCode.silent, { class: 'network', code: 'not_reading', message: 'The host does not read.' })
  }

  private end(why: Failure): void {
    if (!this.open) return
    this.open = false
    // Hosts give up a hub that is silent, and come back: what that breaks is the hub's own doing.
    const failure = why.class === 'network' && this.awake.catchingUp() ? stoodStill : why
    this.outbox.stop()
    this.uploads?.stop()
    try {
      this.network.left(this, failure.class === 'network')
      this.events.closed(this)
    } finally {
      for (const stream of this.streams.values()) stream.fail(failure)
    }
  }
}

const stoodStill: Failure = {
  class: 'hub',
  code: 'stood_still',
  message: 'The hub stood still, and the host gave it up.',
}

function malformed(message: string): Failure {
  return { class: 'host', code: 'malformed', message }
}
