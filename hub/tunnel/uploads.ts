// Request bodies on their way to one host, in pieces, in turn: a long prompt does not hold up a short one, and a host
// that does not read holds up nobody but itself.
import type { Cancel, Env } from '../../sdk/env.ts'
import { encode } from '../../sdk/wire/codec.ts'
import { kind } from '../../sdk/wire/frames.ts'
import type { Outbox } from '../../sdk/wire/socket.ts'

const PIECE_BYTES = 64 * 1024
/** No piece is made while this much waits for the network: what a host has not read stays in the body, uncopied. */
const MOST_WAITING_BYTES = 256 * 1024
const FIRST_LOOK_MS = 5
const LAST_LOOK_MS = 160

export class Uploads {
  /** By stream, in turn: a Map keeps the order in which entries were set. */
  private readonly bodies = new Map<number, Uint8Array>()
  private stopLooking: Cancel | null = null

  constructor(
    private readonly env: Env,
    private readonly outbox: Outbox,
  ) {}

  add(stream: number, body: Uint8Array): void {
    if (body.length === 0) return
    this.bodies.set(stream, body)
    this.send()
  }

  drop(stream: number): void {
    this.bodies.delete(stream)
  }

  stop(): void {
    this.bodies.clear()
    this.stopLooking?.()
    this.stopLooking = null
  }

  private send(lookAgainMs = FIRST_LOOK_MS): void {
    this.stopLooking?.()
    let sent = false
    for (const [stream, rest] of this.bodies) {
      if (this.outbox.backlog() >= MOST_WAITING_BYTES) return this.lookAgain(sent ? FIRST_LOOK_MS : lookAgainMs)
      // Set anew, it goes to the end of the Map, where this loop meets it again.
      this.bodies.delete(stream)
      if (rest.length > PIECE_BYTES) this.bodies.set(stream, rest.subarray(PIECE_BYTES))
      this.outbox.send(encode(stream, kind.body, rest.subarray(0, PIECE_BYTES)))
      sent = true
    }
  }

  private lookAgain(afterMs: number): void {
    this.stopLooking = this.env.timer(afterMs, () => {
      this.stopLooking = null
      this.send(Math.min(afterMs * 2, LAST_LOOK_MS))
    })
  }
}
