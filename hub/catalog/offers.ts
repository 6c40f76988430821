// What this hub offers: the catalog's defaults, and what the team decided otherwise. Read again every second, so that
// a decision made by the command line or by another hub counts here too.
import { eq } from 'drizzle-orm'
import type { Db } from '../../db/open.ts'
import { transaction } from '../../db/transaction.ts'
import { type Cancel, type Env } from '../../sdk/env.ts'
import { type Actor, record } from '../policy/acts.ts'
import { HubError } from '../errors.ts'
import { everyOffer, findOffer, type Offer, whyNot } from './find.ts'
import { Imports, readTokenizers } from './imports.ts'
import type { TokenizerName } from './records.ts'

const REFRESH_MS = 1_000

type StartPrice = Offer['variant']['startPrice']

/** What counts tokens, as far as a catalog has to know: those of imported models have to be handed to it. */
export interface Counting {
  has: (name: TokenizerName) => boolean
  hand: (name: TokenizerName, packed: string) => void
}

export class Offers {
  private readonly imports: Imports
  private decided = new Map<string, Decision>()
  private cancel: Cancel = () => {}
  private closed = false

  private constructor(
    private readonly env: Env,
    private readonly db: Db,
    private readonly simulated: boolean,
    private readonly counting: Counting,
  ) {
    this.imports = new Imports(db)
  }

  /** `simulated`: the emulated model is on offer too. */
  static async open(
    env: Env,
    db: Db,
    { simulated, counting }: { simulated: boolean; counting: Counting },
  ): Promise<Offers> {
    const offers = new Offers(env, db, simulated, counting)
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

  /** What it costs before a market moves it: as the team decided, else as the catalog says. */
  startPrice(offer: Offer): StartPrice {
    return this.decided.get(offer.id)?.startPrice ?? offer.variant.startPrice
  }

  close(): void {
    this.closed = true
    this.cancel()
  }

  private enabled(offer: Offer): boolean {
    return this.wanted(offer) && offer.model.tokenizer !== null && this.counting.has(offer.model.tokenizer)
  }

  private wanted(offer: Offer): boolean {
    if (whyNot(offer) !== null) return false
    if (offer.model.tokenizer === 'emulated') return this.simulated
    return this.decided.get(offer.id)?.enabled ?? offer.model.defaultOn
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
    await this.imports.refresh()
    this.decided = await decisions(this.db)
    await this.fetchTokenizers()
  }

  /** Of what was enabled just now. */
  private async fetchTokenizers(): Promise<void> {
    const missing = new Set<TokenizerName>()
    for (const offer of everyOffer())
      if (offer.model.imported && this.wanted(offer) && offer.model.tokenizer !== null)
        if (!this.counting.has(offer.model.tokenizer)) missing.add(offer.model.tokenizer)
    if (missing.size === 0) return
    const found = await readTokenizers(this.db, [...missing])
    for (const name of missing) {
      const packed = found.get(name)
      if (packed !== undefined) this.counting.hand(name, packed)
    }
  }
}

export interface Decision {
  enabled: boolean
  /** Null: as the catalog says. */
  startPrice: StartPrice | null
}

/** What the team has decided, by variant id. */
export async function decisions(db: Db): Promise<Map<string, Decision>> {
  const rows = await db.query.select().from(db.tables.offers)
  return new Map(rows.map((row) => [row.variant, decisionOf(row)]))
}

function decisionOf(row: Db['tables']['offers']['$inferSelect']): Decision {
  const { enabled, promptPicos, completionPicos } = row
  const startPrice = promptPicos === null || completionPicos === null ? null : { promptPicos, completionPicos }
  return { enabled, startPrice }
}

/** Puts a variant on offer, or takes it off. What it is already is no act. */
export async function decide(
  env: Env,
  db: Db,
  by: Actor,
  { variant, enabled }: { variant: string; enabled: boolean },
): Promise<void> {
  await change(env, db, variant, (before) => {
    const decided = { ...before.decision, enabled }
    return before.known && before.decision.enabled === enabled
      ? null
      : { decided, act: { by, what: enabled ? 'model.enable' : 'model.disable', subject: variant } }
  })
}

/** Sets where a variant's price starts; null: where the catalog says. Requests that run keep theirs. @throws HubError */
export async function setStartPrice(
  env: Env,
  db: Db,
  by: Actor,
  { variant, startPrice }: { variant: string; startPrice: StartPrice | null },
): Promise<void> {
  for (const picos of startPrice ? [startPrice.promptPicos, startPrice.completionPicos] : []) {
    if (!Number.isSafeInteger(picos) || picos < 1 || picos > MOST_PICOS)
      throw new HubError('invalid_request', 'A price is above nothing and at most $1,000 per million tokens.')
  }
  await change(env, db, variant, ({ decision }) =>
    Bun.deepEquals(decision.startPrice, startPrice)
      ? null
      : {
          decided: { ...decision, startPrice },
          act: { by, what: 'model.price', subject: variant, before: decision.startPrice, after: startPrice },
        },
  )
}

const MOST_PICOS = 1_000_000_000

async function change(
  env: Env,
  db: Db,
  variant: string,
  work: (before: {
    known: boolean
    decision: Decision
  }) => { decided: Decision; act: Parameters<typeof record>[3] } | null,
): Promise<void> {
  const { offers } = db.tables
  await transaction(db, async (tx) => {
    const [known] = await tx.select().from(offers).where(eq(offers.variant, variant))
    const fallback = { enabled: findOffer(variant)?.model.defaultOn ?? false, startPrice: null }
    const changed = work({ known: known !== undefined, decision: known ? decisionOf(known) : fallback })
    if (!changed) return
    const { enabled, startPrice } = changed.decided
    const row = {
      ...{ variant, enabled, changedAt: env.now() },
      ...{ promptPicos: startPrice?.promptPicos ?? null, completionPicos: startPrice?.completionPicos ?? null },
    }
    await tx.insert(offers).values(row).onConflictDoUpdate({ target: offers.variant, set: row })
    await record(env, db, tx, changed.act)
  })
}
