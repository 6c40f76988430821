// What happened in a scenario: every request's outcome, every fault that was made, and how late this process itself was.
import type { Outcome } from './client.ts'
import type { Form } from './question.ts'

/** Of a number of waits, in whole milliseconds. */
export interface Waits {
  count: number
  p50: number
  p99: number
  max: number
}

const LOOK_MS = 10
/** Of each kind of trouble, so that a certificate stays readable. */
const MOST_EXAMPLES = 10
const MOST_SLOW = 5

export class Logbook {
  /** By request id: what complete answers said they cost. */
  readonly costs = new Map<string, { cost: number; attempts: number }>()
  /** Of answers that did not come completely, as far as one is known. */
  readonly failedIds = new Set<string>()
  readonly failures = new Map<string, { documented: boolean; begun: number } & Record<Form, number>>()
  readonly faults = new Map<string, number>()
  readonly wrong = new Map<NonNullable<Outcome['fault']>, number>()
  readonly examples: string[] = []
  /** Those that waited longest, so that their requests can be looked up in the logs. */
  slowest: { requestId: string; firstTokenMs: number; stallMs: number }[] = []
  requests = 0
  failovers = 0
  resumed = 0
  private readonly stalls: number[] = []
  private readonly firstTokens: number[] = []
  private readonly lags: number[] = []
  private readonly watch: ReturnType<typeof setInterval>
  private startedAt = 0
  private endedAt = 0

  constructor() {
    let expected = performance.now() + LOOK_MS
    this.watch = setInterval(() => {
      const now = performance.now()
      this.lags.push(Math.max(0, now - expected))
      expected = now + LOOK_MS
    }, LOOK_MS)
  }

  /** A fault was made. */
  fault(what: string): void {
    this.faults.set(what, (this.faults.get(what) ?? 0) + 1)
  }

  /** The first request is about to be sent. */
  begin(): void {
    this.startedAt ||= performance.now()
  }

  add(outcome: Outcome): void {
    this.requests++
    this.endedAt = performance.now()
    this.failovers += Math.max(0, outcome.attempts - 1)
    if (outcome.resumed > 0) this.resumed++
    if (outcome.fault) {
      this.wrong.set(outcome.fault, (this.wrong.get(outcome.fault) ?? 0) + 1)
      this.example(`${outcome.fault} ${outcome.requestId}: ${outcome.detail}`)
    }
    if (outcome.failure) return this.failed(outcome, outcome.failure)
    this.costs.set(outcome.requestId, { cost: outcome.cost ?? 0, attempts: outcome.attempts })
    this.firstTokens.push(outcome.firstTokenMs)
    if (outcome.streamed) this.stalls.push(outcome.stallMs)
    this.rank(outcome)
  }

  /** Ends the watch over this process. */
  close(): void {
    clearInterval(this.watch)
  }

  get seconds(): number {
    return Math.round((this.endedAt - this.startedAt) / 100) / 10
  }

  waits(): { firstToken: Waits; stall: Waits; ownLag: Waits } {
    return { firstToken: waitsOf(this.firstTokens), stall: waitsOf(this.stalls), ownLag: waitsOf(this.lags) }
  }

  private failed({ form, requestId, detail }: Outcome, { code, documented, begun }: NonNullable<Outcome['failure']>) {
    if (requestId) this.failedIds.add(requestId)
    const entry = this.failures.get(code) ?? { documented, begun: 0, text: 0, tools: 0, json: 0 }
    entry[form]++
    if (begun) entry.begun++
    this.failures.set(code, entry)
    this.example(`${code} ${form} ${requestId}: ${detail}`)
  }

  private rank({ requestId, firstTokenMs, stallMs }: Outcome): void {
    const slow = { requestId, firstTokenMs: Math.round(firstTokenMs), stallMs: Math.round(stallMs) }
    const longest = (each: typeof slow) => Math.max(each.firstTokenMs, each.stallMs)
    const least = this.slowest.at(-1)
    if (this.slowest.length === MOST_SLOW && least && longest(least) >= longest(slow)) return
    this.slowest = [...this.slowest, slow].sort((a, b) => longest(b) - longest(a)).slice(0, MOST_SLOW)
  }

  private example(text: string): void {
    if (this.examples.length < MOST_EXAMPLES) this.examples.push(text.slice(0, 2_000))
  }
}

export function waitsOf(waits: readonly number[]): Waits {
  const sorted = Float64Array.from(waits).sort()
  const at = (share: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0)
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) }
}
