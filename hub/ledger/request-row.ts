// The row of a request as the ledger's own statements write it: values in the order of COLUMNS.
import type { EndState } from '../../db/schema/requests.ts'
import type { Money } from '../../sdk/money.ts'

/** A request that ended: its row, but for what the ledger itself computes. */
export interface Ended {
  id: string
  userId: string
  keyId: string
  /** Catalog id of the variant that answered. */
  variant: string
  state: Exclude<EndState, 'lost'>
  stream: boolean
  at: number
  endedAt: number
  firstTokenMs: number | null
  promptTokens: number
  completionTokens: number
  claimedTokens: number | null
  countsDiffer: boolean
  promptPicos: number
  completionPicos: number
  /** The host that finished, and so is paid; null when none did. */
  hostId: string | null
  attempts: number
  /** How often the answer went on with another host after it had begun. */
  resumed: number
  finishReason: string | null
  errorCode: string | null
}

interface Charged {
  cost: Money
  fee: Money
  hostShare: Money
  delivered: boolean
}

export type RequestRow = (string | number | bigint | boolean | null)[]

/** `hub_id` comes last: it is known only when the row is written. */
export const COLUMNS = [
  'id',
  'user_id',
  'key_id',
  'variant',
  'state',
  'stream',
  'at',
  'ended_at',
  'first_token_ms',
  'prompt_tokens',
  'completion_tokens',
  'claimed_tokens',
  'counts_differ',
  'prompt_picos',
  'completion_picos',
  'host_id',
  'attempts',
  'resumed',
  'finish_reason',
  'error_code',
  'cost',
  'fee',
  'host_share',
  'delivered',
  'hub_id',
] as const

/** The ids at the head of a row. */
export function namesIn(row: RequestRow): { id: string; keyId: string } {
  return { id: String(row[0]), keyId: String(row[2]) }
}

export function chargedRow(ended: Ended, { cost, fee, hostShare, delivered }: Charged): RequestRow {
  return [...facts(ended), cost, fee, hostShare, delivered]
}

/** Nothing was charged, so nothing is ever refunded. */
export function freeRow(ended: Ended): RequestRow {
  return [...facts(ended), 0n, 0n, 0n, true]
}

function facts(ended: Ended): RequestRow {
  return [
    ended.id,
    ended.userId,
    ended.keyId,
    ended.variant,
    ended.state,
    ended.stream,
    ended.at,
    ended.endedAt,
    ended.firstTokenMs,
    ended.promptTokens,
    ended.completionTokens,
    ended.claimedTokens,
    ended.countsDiffer,
    ended.promptPicos,
    ended.completionPicos,
    ended.hostId,
    ended.attempts,
    ended.resumed,
    ended.finishReason,
    ended.errorCode,
  ]
}
