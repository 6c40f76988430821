// What passes between hubs and hosts, read by somebody who is neither. From it the simulator knows which attempts a
// request had and how each ended, keeps the rules of the wire that only an outsider can see, and lets dishonest hosts
// say things that our own agent never would.
import { decode, encode, encodeData, encodeJson, type Frame, leadingU32 } from '../sdk/wire/codec.ts'
import { closeCode, kind, readAsk, readFromHost, readFromHub } from '../sdk/wire/frames.ts'
import type { Dice } from './dice.ts'
import type { Connection } from './network.ts'
import type { Rare } from './sometimes.ts'

/** No engine says this. Bytes that a hub must no longer listen to are replaced by it, so that listening shows. */
export const POISON = '☠'

/** One attempt of one request, as it was on the wire. */
export interface Attempt {
  /** Which request it is of; empty until its body is complete. */
  tag: string
  number: number
  at: number
  /** When its host last said something of its answer. */
  heardAt: number
  hub: string
  machine: string
  hostId: string
  body: string
  /** How it ended, as the hub was told or told the host itself. */
  state: 'running' | 'ended' | 'failed' | 'cancelled' | 'lost'
  /** The hub has turned to another attempt, or to none: nothing of this one counts any more. */
  superseded: boolean
}

/** What a dishonest host does to its own frames, each with a probability. */
export interface Mischief {
  /** Says a part of an answer twice. */
  stutters: number
  /** Leaves a part out. */
  skips: number
  /** Goes on after it was told to stop. */
  goesOn: number
}

export const honest: Mischief = { stutters: 0, skips: 0, goesOn: 0 }

interface Observer {
  /** A rule was broken by the hub. */
  broken(rule: string, detail: string): void
  /** The body of an attempt is complete. */
  asked(attempt: Attempt): void
  /** A host has said all of an answer. */
  ended(attempt: Attempt): void
  saw(rare: Rare): void
}

interface Line {
  hub: string
  machine: string
  hostId: string
  epoch: number
  /** When the hub was told that this host takes nothing new; null: it does. */
  drainingSince: number | null
  attempts: Map<number, Attempt>
  parts: Map<number, { missing: number; bytes: Uint8Array[] }>
}

/** A hub takes a host for dead after 12 s; what was said this lately it has heard, or will when it wakes. */
const SURELY_HEARD_MS = 9_000

const utf8 = new TextDecoder()
const poison = new TextEncoder().encode(
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: POISON }, text: POISON, token_ids: [999], finish_reason: null }] })}\n\n`,
)

export class Wire {
  private readonly attempts = new Map<string, Attempt[]>()
  private readonly newest = new Map<string, Line>()

  constructor(
    private readonly dice: Dice,
    private readonly now: () => number,
    private readonly observer: Observer,
  ) {}

  /** Reads a connection whose far end is a hub's. */
  watch(connection: Connection, ends: { hub: string; machine: string; mischief: () => Mischief }): void {
    const { hub, machine, mischief } = ends
    const line: Line = {
      hub,
      machine,
      hostId: '',
      epoch: 0,
      drainingSince: null,
      attempts: new Map(),
      parts: new Map(),
    }
    connection.far.onSend = (bytes) => decode(bytes, (frame) => this.fromHub(line, frame))
    connection.far.onArrival = (bytes) => this.fromHost(line, bytes, mischief())
    connection.far.onEnd = (code) => {
      if (code === closeCode.silent && this.now() - connection.near.saidAt < SURELY_HEARD_MS)
        this.observer.broken('a host that speaks is not taken for dead', `${hub} closed the link of ${machine}`)
      for (const attempt of line.attempts.values()) finish(attempt, 'lost')
    }
  }

  /** In the order in which they were asked. */
  attemptsOf(tag: string): readonly Attempt[] {
    return this.attempts.get(tag) ?? []
  }

  /** When a host last said something in any attempt of this number that a hub made on it. */
  heardAt(hub: string, hostId: string, number: number): number {
    let heardAt = 0
    for (const attempts of this.attempts.values()) {
      for (const attempt of attempts) {
        if (attempt.hub === hub && attempt.hostId === hostId && attempt.number === number)
          heardAt = Math.max(heardAt, attempt.heardAt)
      }
    }
    return heardAt
  }

  /** The hub is gone, and with it everything it was doing. */
  hubDied(hub: string): void {
    for (const attempts of this.attempts.values())
      for (const attempt of attempts) if (attempt.hub === hub) finish(attempt, 'lost')
  }

  private fromHub(line: Line, { stream, kind: what, payload }: Frame): void {
    if (what === kind.control) return this.controlled(line, payload)
    const attempt = line.attempts.get(stream)
    if (what === kind.ask) this.opened(line, stream, payload)
    else if (what === kind.body) this.received(line, stream, payload)
    else if (what === kind.cancel && attempt) finish(attempt, 'cancelled')
  }

  private controlled(line: Line, payload: Uint8Array): void {
    const said = readFromHub(payload)
    // Its last word: whoever hears it stops all it does on this link, and the hub has turned to others.
    if (said.type === 'refused') for (const attempt of line.attempts.values()) finish(attempt, 'lost')
    if (said.type !== 'welcome') return
    const place = `${line.hub} ${said.host}`
    const older = this.newest.get(place)
    if (older && older.epoch >= said.epoch)
      this.observer.broken('a newer link has a newer epoch', `${place}: ${older.epoch}, then ${said.epoch}`)
    line.hostId = said.host
    line.epoch = said.epoch
    this.newest.set(place, line)
  }

  private opened(line: Line, stream: number, payload: Uint8Array): void {
    const { attempt: number, bodyBytes } = readAsk(payload)
    const { hub, machine, hostId } = line
    line.attempts.set(stream, {
      ...{ tag: '', number, at: this.now(), heardAt: this.now(), hub, machine, hostId, body: '' },
      ...{ state: 'running', superseded: false },
    })
    line.parts.set(stream, { missing: bodyBytes, bytes: [] })
    if (this.newest.get(`${hub} ${hostId}`) !== line)
      this.observer.broken('only the newest link of a host is given work', `${hub} asked ${machine} over an older one`)
    // What was decided in the same turn leaves at its end.
    if (line.drainingSince !== null && line.drainingSince < this.now())
      this.observer.broken('a host that drains is given no work', `${hub} asked ${machine}, which had said so`)
  }

  private received(line: Line, stream: number, payload: Uint8Array): void {
    const part = line.parts.get(stream)
    const attempt = line.attempts.get(stream)
    if (!part || !attempt) return
    part.bytes.push(payload.slice())
    part.missing -= payload.length
    if (part.missing > 0) return
    line.parts.delete(stream)
    attempt.body = utf8.decode(Buffer.concat(part.bytes))
    this.observer.asked(attempt)
    const others = this.attemptsOf(attempt.tag)
    // What was decided in one turn leaves in no order: the attempt that a hub has given up may come after the next one.
    const comesAfter = ({ hub, at, number }: Attempt) =>
      hub === attempt.hub && at === attempt.at && number > attempt.number
    if (others.some(comesAfter)) attempt.superseded = true
    else for (const before of others) before.superseded = true
    this.attempts.set(attempt.tag, [...this.attemptsOf(attempt.tag), attempt])
  }

  private fromHost(line: Line, bytes: Uint8Array, mischief: Mischief): Uint8Array[] {
    const frames: Uint8Array[] = []
    let changed = false
    decode(bytes, (frame) => {
      const told = this.told(line, frame, mischief)
      if (told) changed = true
      frames.push(...(told ?? [encode(frame.stream, frame.kind, frame.payload)]))
    })
    return changed ? frames : [bytes]
  }

  /** What the hub hears instead of a frame; null: the frame. */
  private told(line: Line, { stream, kind: what, payload }: Frame, mischief: Mischief): Uint8Array[] | null {
    if (what === kind.control) {
      const said = readFromHost(payload)
      if (said.type === 'hello' || (said.type === 'status' && said.epoch === line.epoch))
        line.drainingSince = said.state === 'draining' ? (line.drainingSince ?? this.now()) : null
      return null
    }
    const attempt = line.attempts.get(stream)
    if (!attempt) return null
    if (what === kind.fail) finish(attempt, 'failed')
    if (what === kind.end) {
      finish(attempt, 'ended')
      this.observer.ended(attempt)
    }
    if (what !== kind.data) return null
    const sequence = leadingU32(payload)
    attempt.heardAt = this.now()
    if (attempt.superseded) {
      this.observer.saw('a late frame arrived')
      const late = encodeData(stream, sequence, poison)
      if (!this.dice.chance(mischief.goesOn)) return [late]
      const end = encodeJson(stream, kind.end, { attempt: attempt.number, frames: sequence + 2 })
      return [late, encodeData(stream, sequence + 1, poison), end]
    }
    if (this.dice.chance(mischief.stutters)) {
      this.observer.saw('a host broke the wire')
      return [encode(stream, what, payload), encode(stream, what, payload)]
    }
    if (this.dice.chance(mischief.skips)) {
      this.observer.saw('a host broke the wire')
      return []
    }
    return null
  }
}

function finish(attempt: Attempt, state: Exclude<Attempt['state'], 'running'>): void {
  if (state !== 'ended') attempt.superseded = true
  if (attempt.state === 'running') attempt.state = state
}
