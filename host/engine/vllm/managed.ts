// An engine that this program starts, watches and ends. Ready means that it has completed a real request.
import { type Env, sleep } from '../../../sdk/env.ts'
import { HostError, printable, reason } from '../../errors.ts'
import type { Log } from '../../log.ts'
import { aborted } from '../../daemon/stopping.ts'
import type { Engine, EngineAnswer, EngineAsk } from '../engine.ts'
import { openAiEngine } from '../openai.ts'
import { type Cause, causeOf } from './cause.ts'
import { describeStep, type Phase, type Step, stepOf } from './phase.ts'
import type { End, Runner, Running } from './runner.ts'

export interface ManagedOptions {
  env: Env
  log: Log
  runner: Runner
  /** Catalog id to offer. */
  model: string
  slots: number
  contextTokens: number
  /** Something that changes while it makes progress without a word, e.g. the free memory of its cards. */
  pulse: () => Promise<string>
}

/** Nothing logged and nothing changed for so long: it hangs. */
const STUCK_MS = 5 * 60_000
const PULSE_MS = 30_000
const LOOK_MS = 250
const HOUR_MS = 3_600_000
/** Ends within an hour after which it is left alone. */
const MOST_ENDS = 5
const FIRST_WAIT_MS = 5_000
const LONGEST_WAIT_MS = 10 * 60_000
/** Tries of one start. */
const TRIES = 2
const KEPT_LINES = 200

export function managedEngine(options: ManagedOptions): Engine {
  return new Managed(options)
}

class Managed implements Engine {
  private readonly served: Engine
  private running: Running | undefined
  private ready = false
  private step: Step | null = null
  private lines: string[] = []
  private progressAt = 0
  /** When it ended unasked, and why the last time. */
  private readonly ends: number[] = []
  private cause: Cause | undefined
  private readonly stopped = new AbortController()
  private beginning: Promise<void> | undefined

  constructor(private readonly options: ManagedOptions) {
    const { env, model, slots, contextTokens, runner } = options
    this.served = openAiEngine({
      ...{ env, model, engineModel: model, slots, contextTokens },
      ...{ url: 'http://engine', unix: runner.socket },
    })
  }

  /** One start at a time, whoever asks for it. */
  start(signal: AbortSignal): Promise<void> {
    return (this.beginning ??= this.begin(signal).finally(() => (this.beginning = undefined)))
  }

  private async begin(signal: AbortSignal): Promise<void> {
    const stop = AbortSignal.any([signal, this.stopped.signal])
    if (
      this.ready &&
      (await this.served.start(stop).then(
        () => true,
        () => false,
      ))
    )
      return
    for (let tries = 1; ; tries++) {
      await this.patience(stop)
      if (await this.attempt(stop)) return
      stop.throwIfAborted()
      const { words, again } = this.cause ?? { words: 'The engine ended.', again: true }
      if (!again || tries >= TRIES) throw new HostError(words)
      this.options.log.warn('the engine is started once more', { why: words })
    }
  }

  serving() {
    return this.ready ? this.served.serving() : []
  }

  starting(): string | null {
    return this.step && !this.ready ? describeStep(this.step) : null
  }

  async ask(ask: EngineAsk, signal: AbortSignal): Promise<EngineAnswer> {
    if (!this.ready) throw new Error('the engine is not running')
    return this.served.ask(ask, signal)
  }

  async alive(signal: AbortSignal): Promise<boolean> {
    return this.ready && this.served.alive(signal)
  }

  async stop(force: AbortSignal): Promise<void> {
    const { running } = this
    this.stopped.abort()
    this.ready = false
    if (running) {
      running.stop()
      await Promise.race([running.ended, aborted(force)])
      await running.kill()
      this.running = undefined
    }
    await this.options.runner.clear()
  }

  /** Waits longer after each end, and not at all after too many. @throws HostError */
  private async patience(stop: AbortSignal): Promise<void> {
    const { env } = this.options
    const recent = this.ends.filter((at) => env.mono() - at < HOUR_MS)
    const last = recent.at(-1)
    if (last === undefined) return
    if (recent.length >= MOST_ENDS)
      throw new HostError(
        `The engine ended ${recent.length} times within an hour and is left alone now. ${this.cause?.words ?? ''} ` +
          'Then: gpuhost stop, gpuhost start.',
      )
    const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (recent.length - 1))
    await sleep(env, Math.max(0, last + wait - env.mono()), stop)
    stop.throwIfAborted()
  }

  /** False: it did not become ready, and `cause` says why. @throws HostError where it could not even be begun */
  private async attempt(stop: AbortSignal): Promise<boolean> {
    const { runner, env } = this.options
    this.ready = false
    await this.running?.kill()
    this.running = undefined
    await runner.prepare((step) => this.show(step), stop)
    await runner.clear()
    stop.throwIfAborted()
    this.lines = []
    this.progressAt = env.mono()
    this.show({ phase: 'starting', percent: null })
    const running = await runner.begin((line) => this.heard(line))
    this.running = running
    const over = new AbortController()
    const until = AbortSignal.any([stop, over.signal])
    const outcome = await Promise.race([
      this.answers(until),
      this.hangs(until),
      running.ended,
      aborted(stop).then((): Outcome => 'stopped'),
    ])
    over.abort()
    if (outcome === 'ready') {
      this.ready = true
      void running.ended.then((end) => this.lost(running, end))
      return true
    }
    await running.kill()
    if (this.running === running) this.running = undefined
    if (outcome !== 'stopped')
      this.noteEnd(outcome === 'stuck' ? STUCK : causeOf({ ...asEnd(outcome), log: this.lines }))
    return false
  }

  /** Resolves once it has completed a real request; never where it cannot: its end, or its silence, comes first. */
  private async answers(stop: AbortSignal): Promise<Outcome> {
    const { env, runner, log } = this.options
    while (!stop.aborted) {
      if (await healthy(runner.socket, stop)) {
        this.show({ phase: 'warming up', percent: null })
        try {
          await this.served.start(stop)
          return 'ready'
        } catch (error) {
          if (!stop.aborted) log.warn('the engine is up, and does not answer yet', { why: printable(reason(error)) })
        }
      }
      await sleep(env, LOOK_MS, stop)
    }
    return new Promise(() => {})
  }

  /** Resolves when it has made no progress for too long. */
  private async hangs(stop: AbortSignal): Promise<Outcome> {
    const { env, pulse } = this.options
    let before = ''
    while (!stop.aborted) {
      await sleep(env, PULSE_MS, stop)
      if (stop.aborted) break
      const now = await pulse().catch(() => before)
      if (now !== before) this.progressAt = env.mono()
      before = now
      if (env.mono() - this.progressAt >= STUCK_MS) return 'stuck'
    }
    return new Promise(() => {})
  }

  private heard(line: string): void {
    this.progressAt = this.options.env.mono()
    this.lines.push(line)
    if (this.lines.length > KEPT_LINES) this.lines.shift()
    const step = stepOf(line)
    if (step) this.show(step)
  }

  private show(step: Step): void {
    const before: Phase | undefined = this.step?.phase
    this.step = step
    if (step.phase !== before && !this.ready) this.options.log.info('the engine is not ready yet', { now: step.phase })
  }

  /** It ended although nobody asked it to. */
  private lost(running: Running, end: End): void {
    if (this.running !== running || this.stopped.signal.aborted) return
    this.ready = false
    this.running = undefined
    this.noteEnd(causeOf({ ...end, log: this.lines }))
  }

  private noteEnd(cause: Cause): void {
    const { env, log } = this.options
    this.cause = cause
    this.ends.push(env.mono())
    if (this.ends.length > MOST_ENDS) this.ends.shift()
    log.error('the engine ended', { cause: cause.code, why: printable(cause.words) })
  }
}

type Outcome = 'ready' | 'stuck' | 'stopped' | End

const STUCK: Cause = {
  code: 'no_progress',
  words:
    'The engine made no progress for five minutes and was ended. A sick GPU or a slow disk does that: see dmesg for Xid errors.',
  again: true,
}

function asEnd(outcome: Outcome): End {
  return typeof outcome === 'object' ? outcome : { code: null, outOfMemory: false }
}

async function healthy(socket: string, signal: AbortSignal): Promise<boolean> {
  try {
    return (await fetch('http://engine/health', { unix: socket, signal })).ok
  } catch {
    return false
  }
}
