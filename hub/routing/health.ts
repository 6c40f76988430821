// How well each seat serves: how long to wait for it, and what its failures mean for its next turns.
import type { HostFailure } from '../fleet/failures.ts'
import type { Failure } from '../tunnel/link.ts'
import { blameFor, tookItsLeave } from './blame.ts'
import { bucketOf, Sketch } from './sketch.ts'
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
const MOST_GAPS = 16
/** What is known is worked out anew after so many answers. */
const ANEW_AFTER = 8
const MOST_SEATS = 20_000

interface Options {
  standing: Standing
  /** The longest that one attempt may take to its first token. */
  mostFirstTokenMs: number
  note: (failure: HostFailure) => void
}

/** The slowest in a hundred, milliseconds; infinite while too little is known. */
interface Tail {
  firstTokenMs: number
  gapMs: number
}

class Measured {
  private readonly firstTokens = new Sketch()
  private readonly gaps = new Sketch()
  private known: Tail | null = null
  private answers = 0

  add(firstToken: number, gaps: readonly number[]): void {
    this.firstTokens.addTo(firstToken)
    for (const gap of gaps) this.gaps.addTo(gap)
    if (++this.answers % ANEW_AFTER === 0) this.known = null
  }

  tail(): Tail {
    this.known ??= { firstTokenMs: slowest(this.firstTokens, ENOUGH_ANSWERS), gapMs: slowest(this.gaps, ENOUGH_GAPS) }
    return this.known
  }
}

function slowest(sketch: Sketch, enough: number): number {
  return sketch.size >= enough ? sketch.percentile(TAIL) : Number.POSITIVE_INFINITY
}

export class Health {
  /** By seat, and by variant for seats that are new. The least recently answered is forgotten first. */
  private readonly measured = new Map<string, Measured>()

  constructor(private readonly options: Options) {}

  /** How long to wait for this seat before the request moves on. */
  patience(seat: Seat): Patience {
    const own = this.measured.get(seatKey(seat))?.tail()
    const others = this.measured.get(seat.variant)?.tail()
    const known = (of: keyof Tail) => [own, others].find((tail) => tail && tail[of] < Number.POSITIVE_INFINITY)?.[of]
    const firstTokenMs = FIRST_TOKEN_TIMES * (known('firstTokenMs') ?? Number.POSITIVE_INFINITY)
    return {
      firstTokenMs: Math.min(this.options.mostFirstTokenMs, Math.max(FIRST_TOKEN_LEAST_MS, firstTokenMs)),
      gapMs: clamp(GAP_TIMES * (known('gapMs') ?? Number.POSITIVE_INFINITY), GAP_LEAST_MS, GAP_MOST_MS),
    }
  }

  /** A complete answer; `gapsMs` are the times between its pieces. Costs the same however long the answer was. */
  answered(seat: Seat, { firstTokenMs, gapsMs }: { firstTokenMs: number; gapsMs: readonly number[] }): void {
    const step = Math.max(1, Math.ceil(gapsMs.length / MOST_GAPS))
    const gaps: number[] = []
    for (let at = 0; at < gapsMs.length; at += step) gaps.push(bucketOf(gapsMs[at]!))
    const firstToken = bucketOf(firstTokenMs)
    this.of(seatKey(seat)).add(firstToken, gaps)
    this.of(seat.variant).add(firstToken, gaps)
    this.options.standing.answered(seat)
  }

  /**
   * An attempt that ended without an answer, whoever was to blame: tell of each, once. What the tunnel does not see has
   * these codes: class `host` `first_token_timeout`, `gap_timeout`, `too_long`; class `engine` `status_…`, `garbage`,
   * `cut`, `empty`, `engine_error`; class `client` `status_…` once a second host agreed. A cancel is no failure.
   */
  failed(seat: Seat, failure: Failure, { requestId, attempt, tokens, message }: Evidence): void {
    const { standing, note } = this.options
    const { draining } = seat.link
    standing.failed(seat, blameFor(failure, { draining }))
    // Its record is what vetting goes by: an owner who plays every evening is not to be worse off for it.
    if (tookItsLeave(failure, { draining })) return
    const { hostId, variant } = seat
    const { class: whose, code } = failure
    note({ hostId, variant, class: whose, code, message: words(message), requestId, attempt, tokens })
  }

  private of(key: string): Measured {
    const known = this.measured.get(key) ?? new Measured()
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
