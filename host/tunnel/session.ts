// One socket to one hub, from the dial to its end: hello and welcome, beats, silence, and the frames in between.
// It ends once, and says how.
import type { Cancel, Env } from '../../sdk/env.ts'
import { decode, encodeJson, type Frame } from '../../sdk/wire/codec.ts'
import {
  type Beat,
  closeCode,
  type FromHost,
  type FromHub,
  type Hello,
  type HostState,
  kind,
  OLDEST_PROTOCOL,
  PROTOCOL,
  readFromHub,
  type Refused,
  SILENCE_MS,
  type Welcome,
  type Wish,
  WireError,
} from '../../sdk/wire/frames.ts'
import { Outbox, type Socket } from '../../sdk/wire/socket.ts'
import { printable, reason } from '../errors.ts'
import type { Offer } from '../offer.ts'
import type { Dial } from './dial.ts'
import { Streams } from './serve.ts'

/** A hub that has not noted what we announced by then is not going to say so. */
const NOTED_MS = 2_000
/** A hub that has not welcomed us by then is not going to. */
const GREETING_MS = 12_000
/** A hub that reads nothing while this much waits for it is gone; streams stop reading their engines long before. */
const OUTBOX_BYTES = 32 * 1024 * 1024
const MAX_MESSAGE_BYTES = 1024 * 1024

/** Who this host is; what it offers is the `Offer`'s to say. */
export type Identity = Pick<Hello, 'agent' | 'machine' | 'run' | 'name' | 'failedUpdate' | 'hardware'>

export interface LinkWorld {
  env: Env
  dial: Dial
  token: string
  identity: Identity
  offer: Offer
  engineTrouble(): void
}

export type Ending =
  | { kind: 'lost'; why: string }
  | { kind: 'refused'; refused: Pick<Refused, 'message' | 'retry' | 'code'> }

export interface SessionEvents {
  welcomed(welcome: Welcome): void
  wish(wish: Wish['wish'], why: string): void
  /** The deployment has other hubs than the welcome said. */
  hubs(addresses: readonly string[]): void
  /** The hub sends nothing new. */
  unregistered(): void
  ended(ending: Ending): void
}

export class Session {
  private readonly socket: Socket
  private readonly outbox: Outbox
  private readonly streams: Streams
  private welcome: Welcome | undefined
  /** What was announced last, and whether the hub has said that it knows. */
  private announced: { state: HostState; at: number; noted: boolean } | undefined
  /** Something changed after the hello and before the welcome. */
  private stale = false
  private heardAt: number
  private over = false
  private timers: { beat?: Cancel; silence?: Cancel } = {}

  constructor(
    private readonly world: LinkWorld,
    address: string,
    private readonly events: SessionEvents,
  ) {
    const { env, offer } = world
    this.heardAt = env.mono()
    this.socket = world.dial(address, world.token, {
      opened: () => this.opened(),
      message: (bytes) => this.message(bytes),
      closed: (code, why) => this.closed(code, why),
    })
    this.outbox = new Outbox(env, this.socket, OUTBOX_BYTES, () => this.quit(closeCode.silent, 'the hub does not read'))
    this.streams = new Streams(env, offer, this.outbox, {
      engineTrouble: () => world.engineTrouble(),
      mayNotKnow: () => !this.unregistered(),
    })
    this.timers.silence = env.timer(GREETING_MS, () => this.quit(closeCode.silent, 'the hub does not answer'))
  }

  /** Tells the hub what is on offer now. */
  announce(): void {
    this.stale = !this.welcome
    if (!this.welcome || this.over) return
    const { env, offer } = this.world
    const state = offer.state()
    this.announced = { state, at: env.mono(), noted: false }
    this.control({ type: 'status', epoch: this.welcome.epoch, state, ...restsFor(offer), serving: offer.serving() })
  }

  /** The hub knows that this host takes nothing new, or had its time to. */
  unregistered(): boolean {
    const { announced } = this
    if (this.over || !this.welcome) return true
    if (announced?.state !== 'draining') return false
    return announced.noted || this.world.env.mono() - announced.at >= NOTED_MS
  }

  /** Gives every attempt back to the hub. */
  handBack(): void {
    this.streams.handBack()
  }

  /** Bytes the hub has not been sent yet. */
  backlog(): number {
    return this.over ? 0 : this.outbox.backlog()
  }

  /** Ends from this side; what was said before still goes out. */
  quit(code: number, why: string): void {
    if (this.over) return
    this.outbox.flush()
    this.socket.close(code, why)
    this.end({ kind: 'lost', why })
  }

  private opened(): void {
    if (this.over) return
    const { identity, offer } = this.world
    const state = offer.state()
    // A hello is answered by the welcome.
    this.announced = { state, at: this.world.env.mono(), noted: true }
    this.control({
      type: 'hello',
      protocol: PROTOCOL,
      ...identity,
      serving: offer.serving(),
      state,
      ...restsFor(offer),
    })
  }

  private message(bytes: Uint8Array): void {
    if (this.over) return
    this.heardAt = this.world.env.mono()
    try {
      if (bytes.length > MAX_MESSAGE_BYTES) throw new WireError('a message is too long')
      decode(bytes, (frame) => this.frame(frame))
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      this.quit(closeCode.malformed, reason(error))
    }
  }

  private frame(frame: Frame): void {
    if (this.over) return
    if (frame.kind === kind.control) return this.heard(readFromHub(frame.payload))
    if (!this.welcome) throw new WireError('a stream before the welcome')
    this.streams.receive(frame)
  }

  private heard(said: FromHub): void {
    switch (said.type) {
      case 'welcome':
        return this.welcomed(said)
      case 'refused':
        this.socket.close(1000, 'refused')
        return this.end({ kind: 'refused', refused: { ...said, message: printable(said.message) } })
      case 'beat':
        return this.beaten(said)
      case 'wish':
        if (said.epoch === this.welcome?.epoch) this.events.wish(said.wish, printable(said.reason))
    }
  }

  private beaten({ epoch, noted, hubs, answer, echo }: Beat): void {
    const { announced } = this
    if (epoch !== this.welcome?.epoch) return
    if (answer || echo !== undefined) this.sayBeat(epoch, echo)
    if (hubs) this.events.hubs(hubs)
    if (!announced || noted !== announced.state) return
    announced.noted = true
    if (noted === 'draining') this.events.unregistered()
  }

  private welcomed(welcome: Welcome): void {
    if (this.welcome) throw new WireError('a second welcome')
    if (welcome.protocol < OLDEST_PROTOCOL || welcome.protocol > PROTOCOL)
      throw new WireError(`the hub speaks protocol ${welcome.protocol}, this agent ${PROTOCOL}`)
    this.welcome = welcome
    this.beat(welcome)
    this.listen(Math.max(SILENCE_MS, 2.4 * welcome.beatMs))
    if (this.stale) this.announce()
    this.events.welcomed(welcome)
  }

  private beat({ epoch, beatMs }: Welcome): void {
    this.timers.beat = this.world.env.timer(beatMs, () => {
      this.sayBeat(epoch)
      if (this.welcome && !this.over) this.beat(this.welcome)
    })
  }

  private sayBeat(epoch: number, echo?: number): void {
    this.control({ type: 'beat', epoch, ...this.world.offer.load(), ...(echo === undefined ? {} : { echo }) })
  }

  private listen(silenceMs: number): void {
    this.timers.silence?.()
    const { env } = this.world
    this.timers.silence = env.timer(Math.max(1, this.heardAt + silenceMs - env.mono()), () => {
      if (env.mono() - this.heardAt < silenceMs) return this.listen(silenceMs)
      this.quit(closeCode.silent, 'the hub fell silent')
    })
  }

  private control(said: FromHost): void {
    this.outbox.send(encodeJson(0, kind.control, said))
  }

  private closed(code: number, why: string): void {
    // The hub's own words come first; this is for when they did not.
    const refused = REFUSALS[code]
    if (refused) return this.end({ kind: 'refused', refused: { ...refused, retry: false } })
    this.end({ kind: 'lost', why: printable(why) || (this.welcome ? 'the link broke' : 'the hub cannot be reached') })
  }

  private end(ending: Ending): void {
    if (this.over) return
    this.over = true
    this.timers.beat?.()
    this.timers.silence?.()
    this.outbox.stop()
    this.streams.abandon()
    this.events.ended(ending)
  }
}

function restsFor(offer: Offer): Pick<Hello, 'rests'> {
  const rests = offer.first()
  return rests === null ? {} : { rests }
}

const REFUSALS: Record<number, Pick<Refused, 'code' | 'message'>> = {
  [closeCode.badToken]: {
    code: 'bad_token',
    message: 'The hub does not know this token. Get a new one from your hub and start again with it.',
  },
  [closeCode.superseded]: {
    code: 'superseded',
    message: 'Another agent with the id of this machine has taken over. Only one may run per GPUHOST_HOME.',
  },
  [closeCode.locked]: {
    code: 'locked',
    message:
      'Two machines use the identity of this one, so the hub refuses both. Your page at the hub says what to do.',
  },
}
