// Connections between machines. TCP loses no bytes: it is slow, it stands still, or it breaks, and who is at its other
// end may never hear of it.
import type { Socket, SocketEvents } from '../sdk/wire/socket.ts'
import type { Dice } from './dice.ts'
import type { Kernel, Process } from './kernel.ts'

/** What the systems at both ends take before a program sees anything `buffered`. */
const SYSTEM_BUFFER_BYTES = 64 * 1024
/** Beyond this Bun's server drops the message, and the connection with it. */
const MOST_BUFFERED_BYTES = 4 * 1024 * 1024

export interface Weather {
  latencyMs: number
  jitterMs: number
}

type Item =
  | { what: 'bytes'; bytes: Uint8Array; saidBefore: number }
  | { what: 'close' | 'gone'; code: number; reason: string }

/** What may happen to messages at an end: they can be read, changed, multiplied, held. */
export type Tap = (bytes: Uint8Array) => Uint8Array[]

export class Connection {
  readonly near: End
  readonly far: End

  constructor(kernel: Kernel, dice: Dice, weather: Weather, near: Process, far: Process) {
    this.near = new End(kernel, dice, weather, near)
    this.far = new End(kernel, dice, weather, far)
    this.near.other = this.far
    this.far.other = this.near
  }

  get open(): boolean {
    return this.near.isOpen && this.far.isOpen
  }

  /** Nothing arrives there any more (both: at either end), and nobody is told. */
  freeze(where: 'near' | 'far' | 'both' = 'both'): void {
    if (where !== 'far') this.near.freeze()
    if (where !== 'near') this.far.freeze()
  }

  /** What was sent meanwhile arrives. */
  thaw(): void {
    this.near.thaw()
    this.far.thaw()
  }

  /** Both ends see an abnormal close; what was under way is lost. */
  cut(): void {
    this.near.lose()
    this.far.lose()
  }
}

/** One end. Messages that travel to it wait here, in order. */
export class End {
  other!: End
  /** Called with every message before this end's owner gets it. */
  onArrival: Tap = (bytes) => [bytes]
  /** Called with every message this end's owner sends. */
  onSend: (bytes: Uint8Array) => void = () => {}
  /** Called once, when this end is of no more use to its owner; with the code, where it was the owner who closed it. */
  onEnd: (code?: number) => void = () => {}
  /** When its owner last said something that nothing keeps from the other end. */
  saidAt = Number.NEGATIVE_INFINITY
  /** The most this end has had buffered. */
  mostBuffered = 0
  private readonly travelling: Item[] = []
  private travellingBytes = 0
  private arrivesAt = 0
  private frozen = false
  private due = 0
  private state: 'open' | 'closing' | 'closed' = 'open'
  private events: SocketEvents | null = null
  private readonly early: ((events: SocketEvents) => void)[] = []

  constructor(
    private readonly kernel: Kernel,
    private readonly dice: Dice,
    private readonly weather: Weather,
    readonly process: Process,
  ) {
    process.onDeath(() => this.abandoned())
  }

  readonly socket: Socket = {
    send: (message) => this.send(message),
    close: (code, reason) => this.close(code, reason),
    buffered: () => this.buffered(),
  }

  get isOpen(): boolean {
    return this.state === 'open'
  }

  /** The owner is ready to hear. */
  listen(events: SocketEvents): void {
    this.events = events
    for (const event of this.early.splice(0)) event(events)
  }

  freeze(): void {
    this.frozen = true
    const [oldest] = this.travelling
    // What is under way stays there.
    if (oldest?.what === 'bytes') this.other.saidAt = oldest.saidBefore
  }

  thaw(): void {
    if (!this.frozen) return
    this.frozen = false
    for (; this.due > 0; this.due--) this.expect(0)
  }

  /** The connection is gone for this end. What travelled to it is lost. */
  lose(): void {
    this.travelling.length = 0
    this.travellingBytes = 0
    this.frozen = false
    this.due = 0
    this.travel({ what: 'gone', code: 1006, reason: '' })
  }

  private send(message: Uint8Array): boolean {
    if (this.state !== 'open') return false
    if (this.buffered() > MOST_BUFFERED_BYTES) {
      this.close(1006, 'too far behind')
      return false
    }
    const bytes = message.slice()
    this.onSend(bytes)
    this.other.travel({ what: 'bytes', bytes, saidBefore: this.saidAt })
    if (!this.other.frozen) this.saidAt = this.kernel.now
    this.mostBuffered = Math.max(this.mostBuffered, this.buffered())
    return true
  }

  private close(code: number, reason: string): void {
    if (this.state !== 'open') return
    this.state = 'closing'
    this.onEnd(code)
    this.other.travel({ what: 'close', code, reason })
  }

  private buffered(): number {
    return Math.max(0, this.other.travellingBytes - SYSTEM_BUFFER_BYTES)
  }

  /** Its program died: the system says so to the other end, which may or may not still get what was under way. */
  private abandoned(): void {
    if (this.state === 'closed') return
    if (this.state === 'open') this.onEnd()
    this.state = 'closed'
    if (this.other.state === 'closed') return
    if (this.dice.chance(0.5)) this.other.travel({ what: 'gone', code: 1006, reason: '' })
    else this.other.lose()
  }

  private travel(item: Item): void {
    this.travelling.push(item)
    if (item.what === 'bytes') this.travellingBytes += item.bytes.length
    const { latencyMs, jitterMs } = this.weather
    const arrivesAt = this.kernel.now + latencyMs + jitterMs * this.dice.next()
    this.arrivesAt = Math.max(this.arrivesAt, arrivesAt)
    this.expect(this.arrivesAt - this.kernel.now)
  }

  private expect(inMs: number): void {
    this.process.hears(inMs, 'net', () => {
      if (this.frozen) this.due++
      else this.arrive()
    })
  }

  private arrive(): void {
    const item = this.travelling.shift()
    if (!item || this.state === 'closed') return
    if (item.what !== 'bytes') return this.ended(item)
    this.travellingBytes -= item.bytes.length
    if (this.state !== 'open') return
    for (const bytes of this.onArrival(item.bytes)) this.tell((events) => events.message(bytes))
  }

  private ended({ what, code, reason }: Exclude<Item, { what: 'bytes' }>): void {
    if (what === 'close' && this.state === 'open') this.other.travel({ what: 'gone', code, reason })
    if (this.state === 'open') this.onEnd()
    this.state = 'closed'
    this.tell((events) => events.closed(code, reason))
  }

  private tell(event: (events: SocketEvents) => void): void {
    if (this.events) event(this.events)
    else this.early.push(event)
  }
}
