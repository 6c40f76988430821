// What the emulated engine has done so far: for `/metrics`, for tests that wait for something to happen.

import type { Env } from '../../sdk/env.ts'

export type RunState = 'waiting' | 'running' | 'finished' | 'aborted' | 'died'

/** One request, as the engine saw it. */
export interface RunRecord {
  id: string
  path: string
  /** The body as it arrived. */
  body: unknown
  state: RunState
  promptTokens: number
  /** Tokens produced so far, over all choices. */
  tokens: number
}

const MAX_RECORDS = 1_000

export class Tally {
  /** The last requests, oldest first. */
  readonly records: RunRecord[] = []
  requests = 0
  refused = 0
  finished = 0
  aborted = 0
  died = 0
  running = 0
  waiting = 0
  promptTokens = 0
  tokens = 0
  private readonly watchers = new Set<() => void>()

  constructor(private readonly env: Env) {}

  begin(record: RunRecord): void {
    this.requests++
    this.promptTokens += record.promptTokens
    this.records.push(record)
    if (this.records.length > MAX_RECORDS) this.records.shift()
    this[record.state === 'waiting' ? 'waiting' : 'running']++
    this.changed()
  }

  move(record: RunRecord, to: Exclude<RunState, 'waiting'>): void {
    if (record.state === 'waiting') this.waiting--
    else if (record.state === 'running') this.running--
    else return
    record.state = to
    this[to]++
    this.changed()
  }

  said(tokens: number): void {
    this.tokens += tokens
    this.changed()
  }

  refuse(): void {
    this.refused++
    this.changed()
  }

  /** Resolves as soon as `fact` holds. @throws after `withinMs` of waiting in vain. */
  until(fact: (tally: Tally) => boolean, withinMs = 5_000): Promise<void> {
    if (fact(this)) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const stop = () => {
        cancel()
        this.watchers.delete(look)
      }
      const look = () => {
        if (!fact(this)) return
        stop()
        resolve()
      }
      const cancel = this.env.timer(withinMs, () => {
        stop()
        reject(new Error(`the engine did not get there in ${withinMs} ms: ${JSON.stringify(this.summary())}`))
      })
      this.watchers.add(look)
    })
  }

  summary() {
    const { requests, refused, finished, aborted, died, running, waiting, promptTokens, tokens } = this
    return { requests, refused, finished, aborted, died, running, waiting, promptTokens, tokens }
  }

  /** Prometheus text under vLLM's names. */
  metrics(model: string): string {
    const labels = `{engine="0",model_name="${model}"}`
    const line = (name: string, type: string, value: number, more = labels) =>
      `# TYPE vllm:${name} ${type}\nvllm:${name}${more} ${value}\n`
    const reason = (why: string) => `{engine="0",finished_reason="${why}",model_name="${model}"}`
    return [
      line('num_requests_running', 'gauge', this.running),
      line('num_requests_waiting', 'gauge', this.waiting),
      line(
        'num_requests_waiting_by_reason',
        'gauge',
        this.waiting,
        `{engine="0",model_name="${model}",reason="capacity"}`,
      ),
      line('kv_cache_usage_perc', 'gauge', Math.min(1, this.running / 256)),
      line('num_preemptions_total', 'counter', 0),
      line('prompt_tokens_total', 'counter', this.promptTokens),
      line('generation_tokens_total', 'counter', this.tokens),
      line('request_success_total', 'counter', this.finished, reason('stop')),
      line('request_success_total', 'counter', this.aborted, reason('abort')),
    ].join('')
  }

  private changed(): void {
    for (const look of this.watchers) look()
  }
}
