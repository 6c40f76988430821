// What this hub offers: the catalog's defaults, and what the team decided otherwise. Read again every second, so that
// a decision made by the command line or by another hub counts here too.
import { eq } from 'drizzle-orm'
import type { Db } from '../../db/open.ts'
import { transaction } from '../../db/transaction.ts'
import { type Cancel, type Env } from '../../sdk/env.ts'
import { type Actor, record } from '../policy/acts.ts'
import { everyOffer, findOffer, type Offer, whyNot } from './find.ts'

const REFRESH_MS = 1_000

export class Offers {
  private decided = new Map<string, boolean>()
  private cancel: Cancel = () => {}
  private closed = false

  private constructor(
    private readonly env: Env,
    private readonly db: Db,
    private readonly simulated: boolean,
  ) {}

  /** `simulated`: the emulated model is on offer too. */
  static async open(env: Env, db: Db, { simulated }: { simulated: boolean }): Promise<Offers> {
    const offers = new Offers(env, db, simulated)
    await offers.refresh()
    offers.again()
    return offers
  }

  /** An enabled variant, by variant or model id. */
  find(id: string): Offer | null {
    const offer = findOffer(id)
    return offer && this.enabled(offer) ? offer : null
  }

  all(): Offer[] {
    return everyOffer().filter((offer) => this.enabled(offer))
  }

  close(): void {
    this.closed = true
    this.cancel()
  }

  private enabled(offer: Offer): boolean {
    if (whyNot(offer) !== null) return false
    if (offer.model.tokenizer === 'emulated') return this.simulated
    return this.decided.get(offer.id) ?? offer.model.defaultOn
  }

  private again(): void {
    if (this.closed) return
    this.cancel = this.env.timer(REFRESH_MS, () => {
      // A database that is away for a moment leaves the last decisions in force.
      this.refresh()
        .catch(() => {})
        .finally(() => this.again())
    })
  }

  /** Reads the decisions now, not within the second. */
  async refresh(): Promise<void> {
    this.decided = await decisions(this.db)
  }
}

/** What the team has decided, by variant id. */
export async function decisions(db: Db): Promise<Map<string, boolean>> {
  const rows = await db.query.select().from(db.tables.offers)
  return new Map(rows.map((row) => [row.variant, row.enabled]))
}

/** Puts a variant on offer, or takes it off. What it is already is no act. */
export async function decide(
  env: Env,
  db: Db,
  by: Actor,
  { variant, enabled }: { variant: string; enabled: boolean },
): Promise<void> {
  const { offers } = db.tables
  await transaction(db, async (tx) => {
    const [known] = await tx.select().from(offers).where(eq(offers.variant, variant))
    if (known?.enabled === enabled) return
    const row = { variant, enabled, changedAt: env.now() }
    await tx.insert(offers).values(row).onConflictDoUpdate({ target: offers.variant, set: row })
    await record(env, db, tx, { by, what: enabled ? 'model.enable' : 'model.disable', subject: variant })
  })
}
