// One request of one client, from its first byte to whatever became of it.
import type { ChatCompletion, Usage } from '../sdk/openai.ts'
import type { Ask } from './ask.ts'
import type { Customer } from './ground.ts'
import type { HubHouse } from './house.ts'
import { Exchange, type Line, type ServerWitness } from './server.ts'
import { isWhole, Story } from './story.ts'
import type { Attempt } from './wire.ts'
import type { World } from './world.ts'

/** What is asked, and how. */
export interface Errand {
  ask: Ask
  /** Its `Idempotency-Key`: sent again with it, it is the same errand. */
  key: string | null
  /** False: the words of one host or none. */
  failover: boolean
}

/** How a client behaves while it waits. */
export interface Patience {
  /** It leaves this long after it asked … */
  leavesAfterMs: number | null
  /** … or when it has got this many pieces. */
  leavesAfterPieces: number | null
  /** … or this long after a host has said its last word, when the charge is on its way. */
  leavesAtEnd: number | null
  /** The server hears of it this much later. */
  lateMs: number
  line: Line
  /** Between the halves of its body. */
  pauseMs: number
}

type WholeChoice = Omit<ChatCompletion['choices'][number], 'message'> & {
  message?: ChatCompletion['choices'][number]['message']
  text?: string
}
interface WholeAnswer {
  choices?: WholeChoice[]
  usage?: Usage
  error?: { code: string }
}

const CANCELLED_MS = 1_000

export type Outcome =
  | 'running'
  /** It got everything the hub had to say, an error included. */
  | 'answered'
  /** It left. */
  | 'left'
  /** The connection broke. */
  | 'broken'

export class Visit {
  readonly ask: Ask
  readonly story: Story
  /** `x-request-id`, as soon as the hub has answered. */
  requestId: string | null = null
  status: number | null = null
  /** The answer was given before, and is given again. */
  replayed = false
  /** Code of the error that was the answer, if one was. */
  error: string | null = null
  outcome: Outcome = 'running'
  /** The process that was asked, null when none was there. */
  readonly hub: string | null
  /** The hub has handed all of its answer to the network. */
  ended = false
  /** The hub has heard that its client is gone, before it had handed everything over. */
  gone = false
  /** The hub was made to wait for it. */
  congested = false
  /** The hub's program ended before all of the answer had left. */
  cutOff = false
  /** It takes its time to read. */
  readonly slow: boolean
  readonly startedAt: number
  /** When its hub had said all it has to say; its client may not have heard it yet. */
  private givenAt = Number.POSITIVE_INFINITY
  private readonly exchange: Exchange
  /** It had words of a host that had failed, when the hub heard that it was gone. */
  between = false
  private pieces = 0
  private settled = false

  constructor(
    private readonly world: World,
    readonly customer: Customer,
    readonly errand: Errand,
    private readonly patience: Patience,
    house: HubHouse | null,
    private readonly over: (visit: Visit) => void,
  ) {
    const { kernel, outside } = world
    const { ask, key, failover } = errand
    this.ask = ask
    const { liedAbout, unsure } = world
    this.story = new Story(
      ask,
      () => liedAbout.has(ask.tag),
      () => unsure.has(ask.tag),
    )
    this.startedAt = kernel.now
    this.slow = Number.isFinite(patience.line.charsPerSecond)
    this.hub = house?.process.name ?? null
    const headers = {
      authorization: `Bearer ${customer.secret}`,
      'content-type': 'application/json',
      ...(key === null ? {} : { 'idempotency-key': key }),
      ...(failover ? {} : { 'x-gpuhub-no-failover': '1' }),
    }
    const request = { path: ask.path, headers, body: JSON.stringify(ask.body), pauseMs: patience.pauseMs }
    const events = {
      headers: () => {},
      text: () => this.heard(),
      closed: (complete: boolean) => this.end(complete ? 'answered' : 'broken'),
    }
    const serving = house?.serving() ?? null
    this.exchange = new Exchange(kernel, outside, serving, patience.line, request, events, this.witness())
    house?.exchanges.add(this.exchange)
    if (patience.leavesAfterMs !== null) outside.after(patience.leavesAfterMs, 'leaves', () => this.leave())
    kernel.note(`${customer.name} asks ${this.hub ?? 'nobody'} ${ask.tag}${ask.body.stream ? ' streamed' : ''}`)
  }

  /** A host has said all. */
  hostEnded(): void {
    const { leavesAtEnd } = this.patience
    if (leavesAtEnd !== null) this.world.outside.after(leavesAtEnd, 'leaves', () => this.leave())
  }

  /** Whatever kept its client from reading is over. */
  readOn(): void {
    this.exchange.readOn()
  }

  /**
   * What its hub has asked hosts in these words since it came, and until its answer was given: for it, or for the same
   * errand sent again.
   */
  get attempts(): Attempt[] {
    return this.world.wire
      .attemptsOf(this.ask.tag)
      .filter(({ hub, at }) => hub === this.hub && at >= this.startedAt && at <= this.givenAt)
  }

  private heard(): void {
    this.pieces++
    const { leavesAfterPieces } = this.patience
    if (leavesAfterPieces !== null && this.pieces >= leavesAfterPieces) this.leave()
  }

  private leave(): void {
    if (this.outcome !== 'running') return
    this.exchange.leave(this.patience.lateMs)
    this.end('left')
  }

  private end(outcome: Outcome): void {
    if (this.outcome !== 'running') return
    this.outcome = outcome
    const how = this.error ?? this.story.error ?? this.status ?? ''
    this.world.kernel.note(`${this.customer.name} ${outcome} ${this.ask.tag} ${how}`)
    this.over(this)
  }

  private witness(): ServerWitness {
    return {
      answered: (status, headers, body) => this.read(status, headers, body),
      wrote: (text) => this.wrote(text),
      cutOff: () => {
        this.cutOff = true
      },
      congested: () => {
        this.congested = true
      },
      ended: () => {
        this.ended = true
        this.givenAt = Math.min(this.givenAt, this.world.kernel.now)
        if (this.status === 200 && this.ask.body.stream && !this.story.done)
          this.broken('an answer ends with [DONE]', 'it ended in silence')
      },
      clientGone: () => {
        this.gone = true
        this.between = this.attempts.length > 1 || this.attempts[0]?.state !== 'running'
        if (this.errand.key === null) this.mustBeCancelled()
      },
      threw: (error) => this.broken('the hub answers whatever happens', String(error)),
    }
  }

  private read(status: number, headers: Headers, body: string | null): void {
    this.status = status
    this.requestId = headers.get('x-request-id')
    this.replayed = headers.get('idempotent-replayed') === 'true'
    if (status === 499) return
    if (!this.requestId) this.broken('every answer has its request id', `status ${status}`)
    if (body === null) return
    this.givenAt = this.world.kernel.now
    const answer = JSON.parse(body) as WholeAnswer
    if (status !== 200) {
      this.error = answer.error?.code ?? 'no code'
      return
    }
    const { choices, usage } = answer
    this.story.usage = usage ?? null
    for (const choice of choices ?? []) this.whole(choice)
    this.story.done = true
    this.mustBeSettled()
  }

  private whole(choice: WholeChoice): void {
    const told = this.story.choices[choice.index]
    const truth = this.ask.truths[choice.index]
    if (!told || !truth) return this.story.wrong('nobody asked for that choice')
    told.content = choice.message?.content ?? choice.text ?? ''
    told.reasoning = choice.message?.reasoning ?? ''
    told.calls = (choice.message?.tool_calls ?? []).map((call) => call.function)
    told.finish = choice.finish_reason
    if (!isWhole(told, truth)) this.incomplete(JSON.stringify(told).slice(0, 200))
  }

  private wrote(text: string): void {
    const { story } = this
    story.push(text)
    if (story.flaw) this.broken('what a client is told is what the model said, once', story.flaw)
    if (story.finished || (story.done && story.error === null)) this.mustBeSettled()
    if (!story.done || story.error !== null) return
    story.choices.forEach((told, index) => {
      if (!isWhole(told, this.ask.truths[index]!)) this.incomplete(JSON.stringify(told).slice(0, 200))
    })
  }

  /** Who hangs up stops the engine within a second. */
  private mustBeCancelled(): void {
    const { houses, kernel } = this.world
    const house = houses.find(({ process }) => process.name === this.hub)
    kernel.after(CANCELLED_MS, 'cancelled?', () => {
      const stood = !house || house.process.dead || house.process.stoodStillAt > kernel.now - CANCELLED_MS
      if (!stood && this.attempts.at(-1)?.state === 'running')
        this.broken('who hangs up stops the engine', 'it goes on a second later')
    })
  }

  private incomplete(told: string): void {
    if (!this.world.liedAbout.has(this.ask.tag) && !this.world.unsure.has(this.ask.tag))
      this.broken('a complete answer is all of it', `${told} instead of ${this.ask.truths[0]!.text}`)
  }

  /** The end of an answer is told after its charge is durable. */
  private mustBeSettled(): void {
    if (this.settled) return
    this.settled = true
    const row = this.world.rowOf(this.requestId ?? '')
    if (!row) this.broken('an answer is settled before its end is sent', 'its row is not there')
  }

  private broken(rule: string, detail: string): void {
    this.world.broken(rule, `${this.ask.tag} (${this.requestId ?? 'no id'}): ${detail}`)
  }
}
