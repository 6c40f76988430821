// One attempt of one request on one host: what the gateway holds of it, and the rules its frames must keep. A host
// that breaks one loses this attempt; its other attempts, and all other hosts, notice nothing.
import { encode, encodeCredit, leadingU32 } from '../../sdk/wire/codec.ts'
import { type Answer, type End, type Fail, kind, WINDOW_BYTES } from '../../sdk/wire/frames.ts'
import type { FailureClass } from '../../db/schema/fleet.ts'
import { assert } from '../errors.ts'
import type { Log } from '../log.ts'

/** Why an attempt ended without an answer, and whose trouble it was. A host's refusal has a code `refused:…`. */
export interface Failure {
  class: FailureClass
  code: string
  message: string
}

export interface AttemptEvents {
  /** The engine's status line: at most once, first. */
  status(status: number): void
  /** Raw engine bytes, in order: a view, valid during the call. Give back as `credit` what was consumed. */
  data(bytes: Uint8Array): void
  /** The host does not answer when it is asked whether it lives. It may yet go on. */
  quiet(): void
  /** Complete. Exactly one of `end` and `failed` is called, last; neither after `cancel`. */
  end(): void
  failed(failure: Failure): void
}

export interface Attempt {
  readonly hostId: string
  /** Lets the host send `bytes` more: call it with what `data` brought, when there is room for as much again. */
  credit(bytes: number): void
  /** The host stops the engine's work. Nothing is called any more. */
  cancel(): void
}

/** What an attempt needs of the link it runs on. */
export interface Lane {
  readonly hostId: string
  readonly log: Log
  send(frame: Uint8Array): void
  /** The stream is over: frames for it that still arrive are late, not wrong. */
  over(stream: number): void
}

/** Credit is gathered to this much before a frame is spent on it. What is held back never empties the window. */
const CREDIT_STEP_BYTES = WINDOW_BYTES / 4

export class Stream implements Attempt {
  private phase: 'asked' | 'answering' | 'over' = 'asked'
  private frames = 0
  /** Engine bytes the host may still send. */
  private allowedBytes = WINDOW_BYTES
  /** Given to the owner and not yet given back. */
  private heldBytes = 0
  private creditBytes = 0

  constructor(
    private readonly lane: Lane,
    private readonly id: number,
    private readonly number: number,
    private readonly events: AttemptEvents,
  ) {}

  get hostId(): string {
    return this.lane.hostId
  }

  credit(bytes: number): void {
    if (this.phase === 'over') return
    assert(bytes >= 0 && bytes <= this.heldBytes, 'credit is given once, for bytes that arrived')
    this.heldBytes -= bytes
    this.creditBytes += bytes
    if (this.creditBytes < CREDIT_STEP_BYTES) return
    this.allowedBytes += this.creditBytes
    this.lane.send(encodeCredit(this.id, this.creditBytes))
    this.creditBytes = 0
  }

  quiet(): void {
    if (this.phase !== 'over') this.events.quiet()
  }

  cancel(): void {
    if (this.phase === 'over') return
    this.finish()
    this.lane.send(encode(this.id, kind.cancel))
  }

  answered({ attempt, status }: Answer): void {
    if (attempt !== this.number) return this.breach('wrong_attempt', 'The host answered for another attempt.')
    if (this.phase !== 'asked') return this.breach('answered_twice', 'The host sent two status lines.')
    this.phase = 'answering'
    this.tell(() => this.events.status(status))
  }

  arrived(payload: Uint8Array): void {
    const sequence = leadingU32(payload)
    const bytes = payload.subarray(4)
    if (this.phase === 'asked') return this.breach('data_before_answer', 'The host sent data before a status line.')
    if (sequence !== this.frames) return this.breach('out_of_order', 'A part of the answer is missing or repeated.')
    if (bytes.length > this.allowedBytes) return this.breach('flooding', 'The host sent more than it was allowed to.')
    this.frames++
    this.allowedBytes -= bytes.length
    this.heldBytes += bytes.length
    this.tell(() => this.events.data(bytes))
  }

  ended({ attempt, frames }: End): void {
    if (attempt !== this.number) return this.breach('wrong_attempt', 'The host ended another attempt.')
    if (this.phase === 'asked') return this.breach('end_before_answer', 'The host ended without a status line.')
    if (frames !== this.frames) return this.breach('cut', 'The answer arrived incomplete.')
    this.finish()
    this.tell(() => this.events.end())
  }

  gaveUp({ attempt, class: whose, code, message }: Fail): void {
    if (attempt !== this.number) return this.breach('wrong_attempt', 'The host gave up another attempt.')
    if (whose === 'refused') return this.fail({ class: 'host', code: `refused:${code}`, message })
    this.fail({ class: whose, code, message })
  }

  /** The attempt is over without an answer, and the host knows or cannot be told. */
  fail(failure: Failure): void {
    if (this.phase === 'over') return
    this.finish()
    this.tell(() => this.events.failed(failure))
  }

  private breach(code: string, message: string): void {
    this.lane.send(encode(this.id, kind.cancel))
    this.fail({ class: 'host', code, message })
  }

  private finish(): void {
    this.phase = 'over'
    this.lane.over(this.id)
  }

  /** What the owner throws is the owner's: it costs this attempt and nothing else. */
  private tell(event: () => void): void {
    try {
      event()
    } catch (error) {
      this.lane.log.error('attempt owner threw', { host: this.hostId, error: String(error) })
      if (this.phase === 'over') return
      this.lane.send(encode(this.id, kind.cancel))
      this.fail({ class: 'hub', code: 'internal', message: 'The hub failed while it read the answer.' })
    }
  }
}
