// What a hub asks of the books. Items gather in a queue and are applied a batch at a time, in one transaction, in order.
import type { OnceState } from '../../db/schema/limits.ts'
import type { Money } from '../../sdk/money.ts'
import type { RequestRow } from './request-row.ts'

export type Item =
  /** Charges a request against the grant its hold was taken from, and gives back what of that grant is not needed. */
  | {
      kind: 'settle'
      id: string
      account: string
      host: string | null
      /** The enrolment that took the grant. */
      holder: string
      cost: Money
      fee: Money
      share: Money
      giveBack: Money
      row: RequestRow
    }
  /** A request that ended without a charge. */
  | { kind: 'record'; row: RequestRow }
  | { kind: 'delivered'; id: string }
  /** Undoes the charge for an answer that did not arrive. With a row: writes that down if nothing was charged. */
  | { kind: 'lose'; id: string; account: string; row: RequestRow | null }
  /**
   * Enlarges the hub's grant for the holds that wait. `committed` is the part of the grant that is spoken for. Takes and
   * trims speak of the grant as a whole, not of a difference, so that doing one twice does no harm, and come before
   * everything else in their batch: then `committed` still counts every settlement of the batch.
   */
  | { kind: 'take'; account: string; committed: Money; needs: Money[] }
  /** Gives back what a grant has beyond `keep`. */
  | { kind: 'trim'; account: string; holder: string; keep: Money }
  /** Releases what an enrolment held that is over. */
  | { kind: 'forfeit'; account: string; holder: string }
  | { kind: 'post'; posting: Posting }
  /** A request came with an idempotency key. Marks its answer delivered when it is the same request again. */
  | { kind: 'begin'; once: Once }
  /** Its answer is settled, and known for a while: encrypted, or null when it cannot be given again. */
  | { kind: 'keep'; once: Once; answer: string | null; until: number }
  /** It ended without a charge: the next request with that key is the first again. */
  | { kind: 'forget'; once: Once }
  /** A hub says that it is there, and later that it still is. */
  | { kind: 'enrol'; selfUrl: string | null }
  | { kind: 'beat' }

/** A request that is done once, however often it is sent. */
export interface Once {
  /** Of account, route and key. */
  id: string
  requestId: string
  userId: string
  /** The API key it came with. */
  keyId: string
  /** What was asked, hashed. */
  body: string
  stream: boolean
  at: number
  expiresAt: number
}

export interface KnownOnce extends Once {
  state: OnceState
  hasAnswer: boolean
}

export type PostingKind = 'credit' | 'usage' | 'refund' | 'check'

/** One thing that happened to money. Its lines sum to zero and name each account once; its key makes it happen once. */
export interface Posting {
  key: string
  kind: PostingKind
  note: string
  at: number
  lines: { account: string; amount: Money }[]
}

export interface Batch {
  /** The enrolment in whose name this is done; null for a command beside the hubs. */
  hubId: string | null
  at: number
  items: Item[]
}

export type Outcome =
  | { kind: 'done' }
  | { kind: 'posted'; first: boolean }
  /** The hub's grant is now `granted` in all, and `left` of the balance is nobody's. `spare` may stay unused for a while. */
  | { kind: 'taken'; granted: Money; left: Money; spare: Money }
  | { kind: 'undone'; charged: boolean }
  /** The key is new, or stands for nothing that was charged. */
  | { kind: 'begun' }
  | { kind: 'known'; once: KnownOnce }
  | { kind: 'refused'; why: Refusal; detail: string }

export type Refusal =
  /** More than the account has free. */
  | 'uncovered'
  /** An account would hold more than the database can. */
  | 'too_large'
  /** The request was refunded meanwhile, because this hub was thought dead. */
  | 'lost'
  /** The database or an assertion said no: a bug. */
  | 'broken'

/** One outcome an item, in order; `fenced` when the enrolment is over and nothing was done. */
export type Applied = Outcome[] | 'fenced'
