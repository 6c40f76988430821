// How often somebody may try. Counted in this hub's memory, so that a flood costs no write; what must outlive a restart
// (wrong second factors) is counted in the database instead. Every table is bounded.
import type { Env } from '../../sdk/env.ts'
import { HubError } from '../errors.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** `…From`: by network address. `…To`: by the account or address of mail it is about. `…By`: by the user who asks. */
const rules = {
  signInFrom: { tries: 30, perMs: 15 * MINUTE, what: 'tries to sign in' },
  signInTo: { tries: 10, perMs: 15 * MINUTE, what: 'tries to sign in to this account' },
  signUpFrom: { tries: 10, perMs: HOUR, what: 'tries to sign up' },
  letterFrom: { tries: 10, perMs: HOUR, what: 'letters asked for' },
  letterTo: { tries: 3, perMs: HOUR, what: 'letters to this address' },
  invitationFrom: { tries: 5, perMs: HOUR, what: 'invitations that are not valid' },
  ticketFrom: { tries: 20, perMs: HOUR, what: 'links that are not valid' },
  secondFactorFrom: { tries: 20, perMs: 15 * MINUTE, what: 'codes' },
  deviceFrom: { tries: 20, perMs: HOUR, what: 'machines that sign in' },
  deviceCodeFrom: { tries: 10, perMs: HOUR, what: 'codes that are not valid' },
  deviceCodeBy: { tries: 10, perMs: HOUR, what: 'codes that are not valid' },
  /** Of eight megabytes each at most. */
  networkTestBy: { tries: 40, perMs: HOUR, what: 'tests of the network' },
  probeBy: { tries: 40, perMs: HOUR, what: 'measurements of this host’s line' },
  hostViewBy: { tries: 600, perMs: HOUR, what: 'questions about this host' },
  echoBy: { tries: 300, perMs: HOUR, what: 'tests of the network' },
  reportFrom: { tries: 5, perMs: HOUR, what: 'reports' },
  exportBy: { tries: 5, perMs: HOUR, what: 'exports' },
} as const

export type Limit = keyof typeof rules

/** Of each rule. A full table forgets whom it saw longest ago; one address cannot fill it, for it is stopped long before. */
const MOST_KEYS = 50_000

interface Count {
  since: number
  tries: number
}

export class Limits {
  private readonly tables = new Map<Limit, Table>()

  constructor(private readonly env: Pick<Env, 'mono'>) {}

  /** Counts a try. @throws HubError `rate_limit_exceeded` */
  take(limit: Limit, key: string): void {
    const { tries, perMs, what } = rules[limit]
    const table = this.table(limit)
    const now = this.env.mono()
    const count = table.get(key)
    if (!count || now - count.since >= perMs) return table.set(key, { since: now, tries: 1 })
    if (count.tries >= tries) throw tooMany(what, count.since + perMs - now)
    count.tries++
  }

  /** A try that turned out to be right, where only wrong ones count. */
  giveBack(limit: Limit, key: string): void {
    const count = this.table(limit).get(key)
    if (count) count.tries = Math.max(0, count.tries - 1)
  }

  /** Starts anew for `key`. */
  forget(limit: Limit, key: string): void {
    this.table(limit).delete(key)
  }

  /** Entries of the largest table. */
  size(): number {
    return Math.max(0, ...[...this.tables.values()].map((table) => table.size))
  }

  private table(limit: Limit): Table {
    const table = this.tables.get(limit) ?? new Table()
    this.tables.set(limit, table)
    return table
  }
}

/** Two generations: when the young one is full the old one goes as a whole, which costs nothing however large it is. */
class Table {
  private young = new Map<string, Count>()
  private old = new Map<string, Count>()

  get size(): number {
    return this.young.size + this.old.size
  }

  get(key: string): Count | undefined {
    const found = this.young.get(key) ?? this.old.get(key)
    if (found && !this.young.has(key)) this.set(key, found)
    return found
  }

  set(key: string, count: Count): void {
    this.old.delete(key)
    this.young.set(key, count)
    if (this.young.size < MOST_KEYS / 2) return
    this.old = this.young
    this.young = new Map()
  }

  delete(key: string): void {
    this.young.delete(key)
    this.old.delete(key)
  }
}

function tooMany(what: string, waitMs: number): HubError {
  const minutes = Math.ceil(waitMs / MINUTE)
  return new HubError(
    'rate_limit_exceeded',
    `Too many ${what}. Try again in ${minutes === 1 ? 'a minute' : `${minutes} minutes`}.`,
    { retryAfterSeconds: waitMs / 1_000 },
  )
}
