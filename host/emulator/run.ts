// One request at work: its voices, how fast they may speak, and what their words look like on the way out.
import type { Conduct } from './conduct.ts'
import type { Order } from './order.ts'
import { chunk, DONE, errorBody, event, type Head, reportedIds, roleChunk, usageChunk, whole } from './shape.ts'
import type { RunRecord } from './tally.ts'
import { type Step, Voice } from './voice.ts'

/** Where an answer goes. A whole answer is one `write` before `end`. */
export interface Outlet {
  write(text: string): void
  /** Sends what was written. */
  flush(): void
  end(): void
  /** Resets the connection. */
  cut(): void
}

export type RunEnd = 'finished' | 'died'

export class Run {
  /** Tokens said by each voice, the longest count: what speed and switches go by. */
  private said = 0
  private readonly voices: { voice: Voice; over: boolean; steps: Step[] }[] = []
  private completion = 0
  private opened = false
  private garbled = false
  private firstAtMs: number | null = null

  constructor(
    readonly record: RunRecord,
    private readonly head: Head,
    private readonly order: Order,
    private readonly conduct: () => Conduct,
    private readonly seed: number,
    readonly outlet: Outlet,
    private readonly arrivedAtMs: number,
  ) {}

  /** Tokens it may say by now, about `burst` at most, in whole chunks. 0: not yet; null: never, as things stand. */
  due(nowMs: number, burst: number): number | null {
    const { tokensPerSecond, firstTokenDelayMs, hangAfterTokens, death, chunkTokens } = this.conduct()
    if (death && this.said >= death.afterTokens) return 1
    if (hangAfterTokens !== null && this.said >= hangAfterTokens) return null
    if (nowMs < this.arrivedAtMs + firstTokenDelayMs) return 0
    this.firstAtMs ??= nowMs
    let due = Math.ceil(burst / chunkTokens) * chunkTokens
    if (tokensPerSecond > 0) {
      const allowed = 1 + Math.floor(((nowMs - this.firstAtMs) * tokensPerSecond) / 1_000) - this.said
      due = Math.min(due, Math.floor(allowed / chunkTokens) * chunkTokens)
    }
    if (hangAfterTokens !== null) due = Math.min(due, hangAfterTokens - this.said)
    return Math.max(0, due)
  }

  /** It has come to where it says nothing more, and keeps its connection open. */
  get hanging(): boolean {
    const { hangAfterTokens } = this.conduct()
    return hangAfterTokens !== null && this.said >= hangAfterTokens
  }

  /** Says up to `tokens` more per voice. Returns how the run ended, or null while it goes on. */
  speak(tokens: number): RunEnd | null {
    for (let left = tokens; left > 0; ) {
      const conduct = this.conduct()
      if (conduct.death && this.said >= conduct.death.afterTokens) return this.die(conduct.death.how)
      const size = Math.min(left, conduct.chunkTokens, conduct.death ? conduct.death.afterTokens - this.said : left)
      if (this.round(size, conduct)) return this.finish(conduct)
      left -= size
    }
    this.outlet.flush()
    return null
  }

  /** Every voice says up to `size` tokens: one chunk each. True when all are over. */
  private round(size: number, conduct: Conduct): boolean {
    this.open(conduct)
    for (const [index, entry] of this.voices.entries()) {
      if (entry.over) continue
      const steps: Step[] = []
      while (steps.length < size && !entry.over) {
        const step = entry.voice.next()
        if (step) steps.push(step)
        if (!step || step.finish) entry.over = true
      }
      const ids = reportedIds(steps, conduct)
      this.completion += ids?.length ?? steps.length
      this.record.tokens += steps.length
      if (this.order.stream) this.write(index, steps, ids, conduct)
      else entry.steps.push(...steps)
    }
    this.said += size
    return this.voices.every((entry) => entry.over)
  }

  /** The first sight of an answer: its voices begin, and a chat stream says who speaks. */
  private open(conduct: Conduct): void {
    if (this.opened) return
    this.opened = true
    const model = { ...conduct, seed: this.seed }
    for (let index = 0; index < this.order.n; index++) {
      this.voices.push({ voice: new Voice(this.order, model, index), over: false, steps: [] })
      if (this.order.stream && this.order.kind === 'chat')
        this.outlet.write(event(roleChunk(this.head, this.order, index, this.continuous(conduct))))
    }
  }

  private write(index: number, steps: Step[], ids: number[] | null, conduct: Conduct): void {
    const shown = chunk(this.head, this.order, {
      index,
      steps,
      ids: this.order.returnTokenIds ? ids : null,
      usage: this.continuous(conduct),
    })
    if (conduct.garbageAfterTokens !== null && this.said >= conduct.garbageAfterTokens && !this.garbled) {
      this.garbled = true
      this.outlet.write('data: {"choices": [{"ind\n\n')
    }
    this.outlet.write(event(extraFields(shown, conduct)))
  }

  private continuous(conduct: Conduct) {
    return this.order.usage === 'every chunk' ? this.claim(conduct) : null
  }

  private claim(conduct: Conduct) {
    return { prompt: this.order.prompt.length, completion: Math.ceil(this.completion * conduct.claimFactor) }
  }

  private finish(conduct: Conduct): RunEnd {
    if (this.order.stream) {
      if (this.order.usage !== 'none')
        this.outlet.write(event(extraFields(usageChunk(this.head, this.order, this.claim(conduct)), conduct)))
      this.outlet.write(DONE)
    } else {
      const steps = this.voices.map((entry) => entry.steps)
      const body = whole(this.head, this.order, steps, conduct, this.claim(conduct))
      this.outlet.write(JSON.stringify(extraFields(body, conduct)))
    }
    this.outlet.flush()
    this.outlet.end()
    return 'finished'
  }

  private die(how: 'cut' | 'eof' | 'error'): RunEnd {
    if (how === 'cut') {
      this.outlet.cut()
      return 'died'
    }
    if (how === 'error') {
      const error = errorBody(500, 'EngineCore encountered an issue. See stack trace (above) for the root cause.')
      this.outlet.write(this.order.stream ? event(error) + DONE : JSON.stringify(error))
    }
    this.outlet.flush()
    this.outlet.end()
    return 'died'
  }
}

function extraFields(body: object, conduct: Conduct): object {
  if (!conduct.unknownFields && conduct.oversizeChunkBytes === null) return body
  return {
    ...body,
    ...(conduct.unknownFields
      ? { system_fingerprint: 'vllm-0.31.0-tp1', kv_transfer_params: { secret: 1 }, note: '<b>' }
      : {}),
    ...(conduct.oversizeChunkBytes === null ? {} : { padding: 'x'.repeat(conduct.oversizeChunkBytes) }),
  }
}
