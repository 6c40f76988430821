// What hub and host need of a WebSocket. Bun's server and client sockets fit behind it, and so does a pair of
// in-memory ends, which tests and the simulator use.
import type { Env } from '../env.ts'

export interface Socket {
  /** Queues one message. False: it was lost, because the socket is closed or too far behind; the link is broken. */
  send(message: Uint8Array): boolean
  close(code: number, reason: string): void
  /** Bytes accepted by `send` and not yet taken by the network. */
  buffered(): number
}

/** What the owner of a socket does with what happens on it. Called synchronously, in order, never after `closed`. */
export interface SocketEvents {
  message(bytes: Uint8Array): void
  closed(code: number, reason: string): void
}

/** Frames smaller than this are joined into one message; larger ones are sent alone, without a copy. */
const JOIN_BELOW_BYTES = 4 * 1024
const MAX_JOINED_BYTES = 256 * 1024

/**
 * Collects the frames of one turn of the event loop and sends them as few messages: the largest single saving on
 * this path. A socket that refuses a message, or falls `limitBytes` behind, is reported once through `broken`.
 */
export class Outbox {
  private waiting: Uint8Array[] = []
  private waitingBytes = 0
  private scheduled = false
  private stopped = false

  constructor(
    private readonly env: Env,
    private readonly socket: Socket,
    private readonly limitBytes: number,
    private readonly broken: (why: string) => void,
  ) {}

  send(frame: Uint8Array): void {
    if (this.stopped) return
    this.waiting.push(frame)
    this.waitingBytes += frame.length
    if (this.backlog() > this.limitBytes) return this.fail('the other end does not read')
    if (this.scheduled) return
    this.scheduled = true
    this.env.soon(() => this.flush())
  }

  /** Bytes not yet on the network. */
  backlog(): number {
    return this.waitingBytes + this.socket.buffered()
  }

  flush(): void {
    this.scheduled = false
    if (this.stopped || this.waiting.length === 0) return
    const frames = this.waiting
    this.waiting = []
    this.waitingBytes = 0
    for (const message of joined(frames)) if (!this.socket.send(message)) return this.fail('the socket lost a message')
  }

  stop(): void {
    this.stopped = true
    this.waiting = []
    this.waitingBytes = 0
  }

  private fail(why: string): void {
    this.stop()
    this.broken(why)
  }
}

function joined(frames: Uint8Array[]): Uint8Array[] {
  const messages: Uint8Array[] = []
  let small: Uint8Array[] = []
  let smallBytes = 0
  const flush = () => {
    if (small.length > 0) messages.push(small.length === 1 ? small[0]! : concat(small))
    small = []
    smallBytes = 0
  }
  for (const frame of frames) {
    if (frame.length >= JOIN_BELOW_BYTES) {
      flush()
      messages.push(frame)
      continue
    }
    if (smallBytes + frame.length > MAX_JOINED_BYTES) flush()
    small.push(frame)
    smallBytes += frame.length
  }
  flush()
  return messages
}

function concat(parts: Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const whole = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
