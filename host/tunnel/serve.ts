// What a hub may ask over one link: one switch over frames. Everything a hub sends is checked; what breaks the
// protocol closes this link and touches no other.
import type { Env } from '../../sdk/env.ts'
import { encodeJson, type Frame, leadingU32 } from '../../sdk/wire/codec.ts'
import { type Fail, kind, MAX_STREAMS_PER_LINK, readAsk, WireError } from '../../sdk/wire/frames.ts'
import type { Outbox } from '../../sdk/wire/socket.ts'
import type { Offer } from '../offer.ts'
import { Stream, type StreamLink } from './stream.ts'

/** Longest body taken, and most bytes of bodies waiting to be complete, per link. */
const MAX_BODY_BYTES = 16 * 1024 * 1024
const MAX_WAITING_BYTES = 64 * 1024 * 1024

export class Streams {
  private readonly open = new Map<number, { stream: Stream; bodyBytes: number; done: () => void }>()
  private announcedBytes = 0
  private newest = 0
  private readonly link: StreamLink

  constructor(
    env: Env,
    private readonly offer: Offer,
    private readonly outbox: Outbox,
    private readonly session: { engineTrouble(): void; mayNotKnow(): boolean },
  ) {
    this.link = {
      env,
      send: (frame) => outbox.send(frame),
      backlog: () => outbox.backlog(),
      turn: (signal) => offer.turn(signal),
      bodyComplete: (id) => this.bodyComplete(id),
      over: (id) => this.forget(id),
      engineTrouble: () => session.engineTrouble(),
    }
  }

  /** @throws WireError */
  receive({ stream: id, kind: what, payload }: Frame): void {
    switch (what) {
      case kind.ask:
        return this.ask(id, payload)
      case kind.body:
        return this.open.get(id)?.stream.addBody(payload)
      case kind.credit:
        return this.open.get(id)?.stream.addCredit(leadingU32(payload))
      case kind.cancel:
        this.open.get(id)?.stream.stop()
        return this.forget(id)
      default:
        throw new WireError(`frame kind ${what} is not for a host`)
    }
  }

  /** The link is gone: nobody waits for these answers any more. */
  abandon(): void {
    for (const [id, { stream }] of this.open) {
      stream.stop()
      this.forget(id)
    }
  }

  /** This machine is about to go: the hub gets every attempt back. */
  handBack(): void {
    for (const { stream } of this.open.values()) stream.handBack()
  }

  private ask(id: number, payload: Uint8Array): void {
    const ask = readAsk(payload)
    if (id <= this.newest) throw new WireError('a stream id was used before')
    this.newest = id
    const refuse = (code: string, message: string) => {
      const failure: Fail = { attempt: ask.attempt, class: 'refused', code, message }
      this.outbox.send(encodeJson(id, kind.fail, failure))
    }
    // The word, not the sentence: what its owner plays is nobody's business.
    const why = this.offer.first()
    // What was on its way when this host said that it takes nothing new is served all the same.
    if (why !== null && (this.offer.broken() || !this.session.mayNotKnow()))
      return refuse('draining', `This host takes nothing new (${why}).`)
    const engine = this.offer.engineFor(ask.model)
    if (!engine) return refuse('unknown_model', 'This host does not serve that model.')
    if (ask.bodyBytes > MAX_BODY_BYTES) return refuse('body_too_large', `At most ${MAX_BODY_BYTES} bytes are taken.`)
    const waitingBytes = this.announcedBytes + ask.bodyBytes
    if (this.offer.full() || this.open.size >= MAX_STREAMS_PER_LINK || waitingBytes > MAX_WAITING_BYTES)
      return refuse('full', 'This host has all the requests it can take.')
    this.announcedBytes = waitingBytes
    const stream = new Stream(id, ask, engine, this.link)
    this.open.set(id, { stream, bodyBytes: ask.bodyBytes, done: this.offer.begin() })
  }

  private bodyComplete(id: number): void {
    const entry = this.open.get(id)
    if (!entry) return
    this.announcedBytes -= entry.bodyBytes
    entry.bodyBytes = 0
  }

  private forget(id: number): void {
    const entry = this.open.get(id)
    if (!entry) return
    this.bodyComplete(id)
    this.open.delete(id)
    entry.done()
  }
}
