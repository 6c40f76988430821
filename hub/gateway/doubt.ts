// What one host says alone and may be wrong about: that the request is at fault, or that there is nothing to say. Two
// that say the same are believed; one that another host contradicts was wrong. One that is alone is believed when it has
// nothing to say, and not when it refuses: then the client is told whose words those are.
import type { Evidence, Health } from '../routing/health.ts'
import type { Seat } from '../routing/turns.ts'
import type { Failure } from '../tunnel/link.ts'

/** The engine's status where it refused the request; `blank`: it ended its answer without a word. */
export type Saying = number | 'blank'

export class Doubt {
  private held: { saying: Saying; seat: Seat; evidence: Evidence } | null = null

  constructor(private readonly health: Pick<Health, 'failed'>) {}

  /** True when another host has said the like before: then it is so, and nobody is to blame but the client. */
  raise(saying: Saying, seat: Seat, evidence: Evidence): boolean {
    const agreed = this.held !== null && (this.held.saying === 'blank') === (saying === 'blank')
    this.settle(agreed ? 'client' : 'engine')
    this.held = { saying, seat, evidence }
    if (agreed) this.settle('client')
    return agreed
  }

  /** The status of a refusal that nobody has contradicted. */
  get refusal(): number | null {
    return this.held && this.held.saying !== 'blank' ? this.held.saying : null
  }

  /** Whose trouble it was in the end. */
  settle(whose: 'client' | 'engine'): void {
    const { held } = this
    if (!held) return
    this.held = null
    this.health.failed(held.seat, { ...failureOf(held.saying), class: whose }, held.evidence)
  }
}

export function failureOf(saying: Saying): Failure {
  return saying === 'blank'
    ? { class: 'engine', code: 'empty', message: 'The engine ended its answer without a word.' }
    : { class: 'engine', code: `status_${saying}`, message: 'The engine refused the request.' }
}
