// Everything there is in one history, and the few things its parts ask of the whole.
import type { LogFields } from '../hub/log.ts'
import type { Money } from '../sdk/money.ts'
import type { Ask } from './ask.ts'
import { Dice } from './dice.ts'
import { Disk } from './disk.ts'
import { type GaveUp, gaveUp } from './effort.ts'
import type { Customer, Ground } from './ground.ts'
import { HubHouse } from './house.ts'
import { Kernel, type Process } from './kernel.ts'
import type { Machine } from './machine.ts'
import type { Plan } from './plan.ts'
import { flawOf, readQuestion } from './question.ts'
import { type Rare, rareInLog } from './sometimes.ts'
import type { Visit } from './visit.ts'
import { type Attempt, Wire } from './wire.ts'

export interface Broken {
  rule: string
  detail: string
}

export class World {
  readonly dice: Dice
  readonly kernel: Kernel
  readonly disk: Disk
  readonly wire: Wire
  /** Everything that is no hub and no host. */
  readonly outside: Process
  readonly houses: HubHouse[]
  readonly machines: Machine[] = []
  readonly customers: Customer[] = []
  readonly visits: Visit[] = []
  readonly brokenRules: Broken[] = []
  readonly reached = new Set<Rare>()
  /** There is no more trouble. */
  healed = false
  /** Given to each account, in all. */
  readonly credited = new Map<string, Money>()
  /** By request id. */
  readonly gaveUp = new Map<string, GaveUp>()
  /** When a key or a token was revoked. */
  readonly revokedAt = new Map<string, number>()
  /** Hub processes that were thought dead, and lived. */
  readonly buried = new Set<string>()
  /** Hub processes that died without leaving. */
  readonly crashed = new Set<string>()
  /** Requests about which some engine did not tell the truth. */
  readonly liedAbout = new Set<string>()
  /**
   * Requests whose answer nobody can foretell: the emulated model goes on from half a thought, but not with it; and from
   * a text of which the last engine had held something back, it says something else.
   */
  readonly unsure = new Set<string>()

  /** Once all is over. The runtime keeps whoever waits for a signal that is never given. */
  readonly afterwards: (() => void)[] = []

  constructor(
    readonly plan: Plan,
    readonly ground: Ground,
    onNote?: (line: string) => void,
  ) {
    this.dice = new Dice(plan.seed)
    this.kernel = new Kernel(this.dice, onNote)
    this.disk = new Disk(this.kernel, this.dice, ground.db.client, plan.hubs > 1)
    this.outside = this.kernel.process('outside')
    this.wire = new Wire(this.dice.for('wire'), () => this.kernel.now, {
      broken: (rule, detail) => this.broken(rule, detail),
      asked: (attempt) => this.asked(attempt),
      ended: ({ tag, hub }) => {
        for (const visit of this.visits) if (visit.ask.tag === tag && visit.hub === hub) visit.hostEnded()
      },
      saw: (rare) => this.saw(rare),
    })
    this.houses = Array.from({ length: plan.hubs }, (_, at) => new HubHouse(this, `hub${at + 1}`))
  }

  /** The hub that answers at an address: `hub.test` is any of them, as behind a load balancer. */
  route(hostname: string, dice: Dice): HubHouse | null {
    const open = this.houses.filter((house) => house.open)
    if (hostname !== 'hub.test') return open.find(({ name }) => `${name}.test` === hostname) ?? null
    return open.length > 0 ? dice.pick(open) : null
  }

  broken(rule: string, detail: string): void {
    this.kernel.note(`BROKEN: ${rule}: ${detail}`)
    this.brokenRules.push({ rule, detail })
  }

  saw(rare: Rare): void {
    this.reached.add(rare)
  }

  /** What is asked under a tag. */
  askOf(tag: string): Ask | undefined {
    return this.visits.find(({ ask }) => ask.tag === tag)?.ask
  }

  /** The whole question of an attempt was sent. */
  private asked(attempt: Attempt): void {
    const question = readQuestion(attempt.body)
    const { tag, way } = question
    const { hub, machine, number } = attempt
    attempt.tag = tag
    this.kernel.note(`${hub} asks ${machine} ${tag} by ${way}, attempt ${number}`)
    // Several may have these words: one errand, sent again.
    const visits = this.visits.filter((visit) => visit.ask.tag === tag && visit.hub === hub)
    const flaws = visits.map((visit) => flawOf(question, visit, this.unsure.has(tag)))
    if (visits.length === 0) this.broken('a host is asked what a client asked', attempt.body.slice(0, 200))
    else if (flaws.every((flaw) => flaw !== null))
      this.broken('a host that goes on is given all that was said', `${tag}: ${flaws.join(', or ')}`)
    if (way !== 'whole' && this.plan.reasons) this.unsure.add(tag)
    if (way === 'text' && this.askOf(tag)?.body.stop) this.unsure.add(tag)
    if (way === 'ids') this.saw('an answer went on by ids')
    if (way === 'text') this.saw('an answer went on by text')
  }

  /** A hub said something. */
  logged({ hub, process }: HubHouse, level: string, event: string, fields: LogFields): void {
    const rare = rareInLog(event, fields)
    if (rare) this.saw(rare)
    if (event === 'ledger.enrolled_anew') this.buried.add(process.name)
    if (level === 'error' && BUGS.includes(event)) this.broken('nothing fails inside the hub', JSON.stringify(fields))
    const { host, attempt } = fields
    // At least: which of that host's attempts it was is not said.
    const silentMs = this.kernel.now - this.wire.heardAt(process.name, String(host), Number(attempt))
    const end = hub && gaveUp(hub, event, fields, silentMs)
    if (end) this.gaveUp.set(String(fields.request), end)
  }

  /** The row of a request that was charged or was free of charge; null while there is none. */
  rowOf(requestId: string): { state: string; cost: bigint } | null {
    const found = this.disk.client.query('select state, cost from requests where id = ?').get(requestId)
    return found as { state: string; cost: bigint } | null
  }
}

/** What a hub says only when it has a bug. */
const BUGS = [
  'a request failed inside the hub',
  'a request could not be closed',
  'attempt owner threw',
  'link failed inside the hub',
  'ledger.refused',
]
