// How well each seat serves: how long to wait for it, and what its failures mean for its next turns.
import type { HostFailure } from '../fleet/failures.ts'
import type { Failure } from '../tunnel/link.ts'
import { blameFor } from './blame.ts'
import { Sketch } from './sketch.ts'
import type { Standing } from './standing.ts'
import type { Seat } from './turns.ts'

/** How long a stream may keep its client waiting. Measure it by the awake clock (tunnel/awake.ts), not by the wall. */
export interface Patience {
  /** From the ask to the first piece of an answer. */
  firstTokenMs: number
  /** From one piece to the next. */
  gapMs: number
}

/** What is known of a failed attempt. */
export interface Evidence {
  requestId: string
  attempt: number
  /** Tokens this attempt had produced. */
  tokens: number
  /** What happened, in words for the host's owner: never a prompt or an answer. */
  message: string
}

const GAP_LEAST_MS = 3_000
const GAP_MOST_MS = 10_000
const GAP_TIMES = 20
/** A prompt may be longer than all before it, a queue fuller. */
const FIRST_TOKEN_LEAST_MS = 10_000
const FIRST_TOKEN_TIMES = 4
const TAIL = 0.99
/** Fewer than this say nothing about the slowest in a hundred. */
const ENOUGH_GAPS = 100
const ENOUGH_ANSWERS = 20
/** Of one answer; a long one is sampled evenly. */
const MOST_GAPS = 64
const MOST_SEATS = 20_000

interface Options {
  standing: Standing
  /** The longest that one attempt may take to its first token. */
  mostFirstTokenMs: number
  note: (failure: HostFailure) => void
}

interface Measured {
  firstToken: Sketch
  gaps: Sketch
}

export class Health {
  /** By seat, and by variant for seats that are new. The least recently answered is forgotten first. */
  private readonly measured = new Map<string, Measured>()

  constructor(private readonly options: Options) {}

  /** How long to wait for this seat before the request moves on. */
  patience(seat: Seat): Patience {
    const { firstToken, gaps } = this.known(seat)
    return {
      firstTokenMs: Math.min(this.options.mostFirstTokenMs, Math.max(FIRST_TOKEN_LEAST_MS, firstToken)),
      gapMs: clamp(gaps, GAP_LEAST_MS, GAP_MOST_MS),
    }
  }

  /** A complete answer; `gapsMs` are the times between its pieces. Costs the same however long the answer was. */
  answered(seat: Seat, { firstTokenMs, gapsMs }: { firstTokenMs: number; gapsMs: readonly number[] }): void {
    const step = Math.max(1, Math.ceil(gapsMs.length / MOST_GAPS))
    for (const { firstToken, gaps } of [this.sketches(seatKey(seat)), this.sketches(seat.variant)]) {
      firstToken.add(firstTokenMs)
      for (let at = 0; at < gapsMs.length; at += step) gaps.add(gapsMs[at]!)
    }
    this.options.standing.answered(seat)
  }

  /**
   * An attempt that ended without an answer, whoever was to blame: tell of each, once. What the tunnel does not see has
   * these codes: class `host` `first_token_timeout`, `gap_timeout`, `too_long`; class `engine` `status_…`, `garbage`,
   * `cut`, `empty`, `engine_error`; class `client` `status_…` once a second host agreed. A cancel is no failure.
   */
  failed(seat: Seat, failure: Failure, { requestId, attempt, tokens, message }: Evidence): void {
    const { standing, note } = this.options
    standing.failed(seat, blameFor(failure, { draining: seat.link.draining }))
    const { hostId, variant } = seat
    const { class: whose, code } = failure
    note({ hostId, variant, class: whose, code, message: words(message), requestId, attempt, tokens })
  }

  private known(seat: Seat): { firstToken: number; gaps: number } {
    let firstToken = Number.POSITIVE_INFINITY
    let gaps = Number.POSITIVE_INFINITY
    for (const key of [seat.variant, seatKey(seat)]) {
      const measured = this.measured.get(key)
      if (!measured) continue
      if (measured.firstToken.size >= ENOUGH_ANSWERS)
        firstToken = FIRST_TOKEN_TIMES * measured.firstToken.percentile(TAIL)
      if (measured.gaps.size >= ENOUGH_GAPS) gaps = GAP_TIMES * measured.gaps.percentile(TAIL)
    }
    return { firstToken, gaps }
  }

  private sketches(key: string): Measured {
    const known = this.measured.get(key) ?? { firstToken: new Sketch(), gaps: new Sketch() }
    // Set anew, so that the Map is in order of use.
    this.measured.delete(key)
    this.measured.set(key, known)
    if (this.measured.size > MOST_SEATS) for (const oldest of this.measured.keys()) return this.forget(oldest, known)
    return known
  }

  private forget(key: string, known: Measured): Measured {
    this.measured.delete(key)
    return known
  }
}

function seatKey({ hostId, variant }: Seat): string {
  return `${hostId} ${variant}`
}

/** What a host says is a stranger's word: without what could act on a terminal, and not too much of it. */
function words(message: string): string {
  return message.replace(/\p{C}/gu, ' ').slice(0, 200)
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value))
}
