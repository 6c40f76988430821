// The emulated engine: vLLM's HTTP surface over a model that needs no GPU. `fetch` is all of it, so that a test may
// use it without a network; testing.ts puts it on a port.
import { type Env, systemEnv } from '../../sdk/env.ts'
import { EMULATED_MODEL } from '../../sdk/wire/vocabulary.ts'
import { type Conduct, goodConduct } from './conduct.ts'
import { DEFAULT_CONTEXT_TOKENS, DEFAULT_SEED } from './oracle.ts'
import { EngineError, isRecord, type Order, type Path, readOrder } from './order.ts'
import { type Outlet, Run } from './run.ts'
import { errorBody } from './shape.ts'
import { type RunRecord, Tally } from './tally.ts'

export interface EngineOptions extends Partial<Conduct> {
  /** The name it serves its model under. */
  model?: string
  /** Which model it is: another seed says other things. */
  seed?: number
  contextTokens?: number
  /** Requests it works on at a time; more wait in line. */
  slots?: number
  /** Guards `/v1` as `--api-key` does. */
  apiKey?: string
  /** Opens `/_emulator`, where another process can change its conduct. */
  admin?: boolean
  /** Conduct of one request alone, judged by the token ids of its prompt. */
  except?: (prompt: readonly number[]) => Partial<Conduct>
  env?: Env
}

/** Tokens one answer may say before the next one gets its turn. */
const BURST_TOKENS = 16
/** How long answers may be worked on before the event loop gets its turn. */
const SLICE_MS = 4
/** How often answers of limited speed are looked at. */
const TICK_MS = 4

export class Engine {
  readonly tally: Tally
  readonly model: string
  private readonly env: Env
  private readonly seed: number
  private readonly contextTokens: number
  private readonly slots: number
  private conduct: Conduct
  /** Conducts for the next requests, one each. */
  private readonly exceptions: Partial<Conduct>[] = []
  private readonly working = new Set<Run>()
  private readonly queue: Run[] = []
  private blocked = false
  private scheduled = false
  private count = 0

  constructor(private readonly options: EngineOptions = {}) {
    const { model, seed, contextTokens, slots, apiKey: _key, admin: _admin, except: _except, env, ...conduct } = options
    this.model = model ?? EMULATED_MODEL
    this.seed = seed ?? DEFAULT_SEED
    this.contextTokens = contextTokens ?? DEFAULT_CONTEXT_TOKENS
    this.slots = slots ?? 1_024
    this.env = env ?? systemEnv
    this.tally = new Tally(this.env)
    this.conduct = { ...goodConduct, ...conduct }
  }

  /** Changes its conduct, for running answers too. */
  set(conduct: Partial<Conduct>): void {
    this.conduct = { ...this.conduct, ...conduct }
    this.schedule(0)
  }

  /** Conduct of the next request alone. Called several times: of the one after it, and so on. */
  next(conduct: Partial<Conduct>): void {
    this.exceptions.push(conduct)
  }

  /** Holds all answers where they are, new ones before their first token, until `release`. */
  block(): void {
    this.blocked = true
  }

  release(): void {
    this.blocked = false
    this.schedule(0)
  }

  /** Resets every connection that waits for an answer, as a killed process does. */
  kill(): void {
    for (const run of [...this.working, ...this.queue]) {
      this.leave(run, 'died')
      run.outlet.cut()
    }
  }

  /** Answers that have come to where they hang. */
  get hanging(): RunRecord[] {
    return [...this.working].filter((run) => run.hanging).map(({ record }) => record)
  }

  async fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url)
    if (pathname === '/health' || pathname === '/ping') return new Response('')
    if (pathname === '/version') return Response.json({ version: '0.31.0' })
    if (pathname === '/metrics')
      return new Response(this.tally.metrics(this.model), { headers: { 'content-type': 'text/plain; version=0.0.4' } })
    if (pathname === '/_emulator' && this.options.admin) return this.command(request)
    if (this.options.apiKey !== undefined && request.headers.get('authorization') !== `Bearer ${this.options.apiKey}`)
      return Response.json({ error: 'Unauthorized' }, { status: 401 })
    if (pathname === '/v1/models' && request.method === 'GET') return Response.json(this.models())
    if (pathname !== '/v1/chat/completions' && pathname !== '/v1/completions')
      return Response.json({ detail: 'Not Found' }, { status: 404 })
    if (request.method !== 'POST') return Response.json({ detail: 'Method Not Allowed' }, { status: 405 })
    return this.answer(pathname, request).catch((error: unknown) => {
      if (!(error instanceof EngineError)) throw error
      this.tally.refuse()
      return Response.json(errorBody(error.status, error.message, error.param), { status: error.status })
    })
  }

  private async answer(path: Path, request: Request): Promise<Response> {
    let exception = this.exceptions.shift() ?? {}
    const conduct = (): Conduct => ({ ...this.conduct, ...exception })
    const { refuseStatus, refuseLate } = conduct()
    if (refuseStatus !== null) {
      const refusal = new EngineError(refuseStatus, `refused with ${refuseStatus} because it was told to`)
      if (!refuseLate) throw refusal
      this.tally.refuse()
      const event = JSON.stringify(errorBody(refusal.status, refusal.message, refusal.param))
      return new Response(`data: ${event}\n\ndata: [DONE]\n\n`, { headers: { 'content-type': 'text/event-stream' } })
    }
    const body: unknown = await request.json().catch(() => {
      throw new EngineError(400, "[{'type': 'json_invalid', 'loc': ('body', 0), 'msg': 'JSON decode error'}]")
    })
    const order = readOrder(path, body, { model: this.model, contextTokens: this.contextTokens })
    exception = { ...exception, ...this.options.except?.(order.prompt) }
    return order.stream
      ? this.stream(path, body, order, conduct, request)
      : this.wholeAnswer(path, body, order, conduct, request)
  }

  private stream(path: Path, body: unknown, order: Order, conduct: () => Conduct, request: Request): Response {
    let hangUp = () => {}
    const work = (controller: ReadableStreamDirectController) =>
      new Promise<void>((resolve, reject) => {
        const outlet: Outlet = {
          write: (text) => void controller.write(text),
          flush: () => void controller.flush(),
          end: () => {
            controller.close()
            resolve()
          },
          cut: () => reject(new Error('cut')),
        }
        const run = this.enter(path, body, order, conduct, outlet)
        hangUp = () => {
          this.leave(run, 'aborted')
          resolve()
        }
        if (request.signal.aborted) hangUp()
      })
    const stream = directStream(work, () => hangUp())
    request.signal.addEventListener('abort', () => hangUp())
    return new Response(stream, { headers: { 'content-type': 'text/event-stream; charset=utf-8' } })
  }

  private wholeAnswer(
    path: Path,
    body: unknown,
    order: Order,
    conduct: () => Conduct,
    request: Request,
  ): Promise<Response> {
    return new Promise((resolve) => {
      let text = ''
      const outlet: Outlet = {
        write: (more) => void (text += more),
        flush: () => {},
        end: () => resolve(new Response(text, { status: text.startsWith('{"error"') ? 500 : 200, headers: JSON_TYPE })),
        cut: () => resolve(new Response(brokenBody(), { headers: JSON_TYPE })),
      }
      const run = this.enter(path, body, order, conduct, outlet)
      const hangUp = () => {
        this.leave(run, 'aborted')
        outlet.end()
      }
      if (request.signal.aborted) hangUp()
      else request.signal.addEventListener('abort', hangUp)
    })
  }

  private enter(path: Path, body: unknown, order: Order, conduct: () => Conduct, outlet: Outlet): Run {
    const id = `${order.kind === 'chat' ? 'chatcmpl' : 'cmpl'}-${(++this.count).toString(16).padStart(32, '0')}`
    const waits = this.working.size >= this.slots
    const record: RunRecord = {
      id,
      path,
      body,
      state: waits ? 'waiting' : 'running',
      promptTokens: order.prompt.length,
      tokens: 0,
    }
    const head = { id, created: Math.floor(this.env.now() / 1_000), model: this.model }
    const run = new Run(record, head, order, conduct, this.seed, outlet, this.env.mono())
    if (waits) this.queue.push(run)
    else this.working.add(run)
    this.tally.begin(record)
    this.schedule(0)
    return run
  }

  /** A request is over: its work stops at once and the next in line begins. */
  private leave(run: Run, state: 'finished' | 'aborted' | 'died'): void {
    const place = this.queue.indexOf(run)
    if (place >= 0) this.queue.splice(place, 1)
    this.working.delete(run)
    this.tally.move(run.record, state)
    const first = this.working.size < this.slots ? this.queue.shift() : undefined
    if (!first) return
    this.working.add(first)
    this.tally.move(first.record, 'running')
    this.schedule(0)
  }

  private schedule(delayMs: number): void {
    if (this.scheduled) return
    this.scheduled = true
    const turn = () => {
      this.scheduled = false
      this.turn()
    }
    if (delayMs === 0) this.env.soon(turn)
    else this.env.timer(delayMs, turn)
  }

  /** Lets every answer say what it may by now, for as long as a slice lasts; who was not heard goes first next time. */
  private turn(): void {
    if (this.blocked) return
    const startMs = this.env.mono()
    let again: number | null = null
    // A copy: whoever has spoken moves to the back of the set.
    const line = [...this.working]
    for (const run of line) {
      if (this.env.mono() - startMs > SLICE_MS) {
        again = 0
        break
      }
      const due = run.due(this.env.mono(), BURST_TOKENS)
      if (due === null) continue
      const end = due === 0 ? null : this.speak(run, due)
      if (end) continue
      again = due >= BURST_TOKENS ? 0 : Math.min(again ?? TICK_MS, TICK_MS)
    }
    if (again !== null) this.schedule(again)
  }

  private speak(run: Run, tokens: number): boolean {
    const before = run.record.tokens
    const end = run.speak(tokens)
    this.tally.said(run.record.tokens - before)
    this.working.delete(run)
    if (!end) this.working.add(run)
    else this.leave(run, end)
    return end !== null
  }

  private models(): object {
    const created = Math.floor(this.env.now() / 1_000)
    const card = { id: this.model, object: 'model', created, owned_by: 'vllm', root: this.model, parent: null }
    return { object: 'list', data: [{ ...card, max_model_len: this.contextTokens, permission: [] }] }
  }

  /** `GET`: what it has done. `POST`: `{set?, next?, block?, release?, kill?}`. */
  private async command(request: Request): Promise<Response> {
    if (request.method === 'POST') {
      const words: unknown = await request.json()
      if (!isRecord(words)) return Response.json({ error: 'an object is needed' }, { status: 400 })
      if (isRecord(words.set)) this.set(words.set)
      if (isRecord(words.next)) this.next(words.next)
      if (words.block === true) this.block()
      if (words.release === true) this.release()
      if (words.kill === true) this.kill()
    }
    return Response.json({
      ...this.tally.summary(),
      conduct: this.conduct,
      blocked: this.blocked,
      records: this.tally.records,
    })
  }
}

const JSON_TYPE = { 'content-type': 'application/json' }

/** A body written as it comes. When `work` rejects, the connection is reset. */
function directStream(work: (controller: ReadableStreamDirectController) => Promise<void>, cancel: () => void) {
  const source = { type: 'direct', pull: work, cancel }
  // The DOM's types do not know Bun's direct streams.
  return new ReadableStream(source as unknown as UnderlyingDefaultSource)
}

/** A body whose connection is reset after its first byte. */
function brokenBody(): ReadableStream {
  return directStream(
    async (controller) => {
      void controller.write('{')
      await controller.flush()
      throw new Error('cut')
    },
    () => {},
  )
}
