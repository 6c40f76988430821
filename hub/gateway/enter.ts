// From admitted to running: the key's budget and limits, and a place. No money is held yet.
import type { Bearer } from '../identity/keyring.ts'
import type { Admission } from './admit.ts'
import type { Ask } from './ask.ts'
import type { Call } from './complete.ts'
import type { Gateway } from './gateway.ts'
import { presentedKey } from './who.ts'

/** What was charged for, when anything was. */
export interface Paid {
  state: 'completed' | 'cancelled'
  /** Tokens of the answer. */
  completion: number
}

/** Gives everything back; calling it again does nothing. */
export type Leave = (paid?: Paid) => void

/** Waits, if need be, until it is this request's turn. @throws HubError 402, 429 or 503; Cancelled */
export function enter(
  hub: Gateway,
  call: Call,
  bearer: Bearer,
  ask: Ask,
  admission: Admission,
): Leave | Promise<Leave> {
  const place = () =>
    hub.running.enter(
      {
        id: call.requestId,
        at: hub.env.now(),
        userId: bearer.userId,
        keyId: bearer.keyId,
        variant: admission.offer.id,
        bytes: ask.bytes,
        concurrency: hub.quotas.concurrency(bearer),
      },
      call.request,
    )
  return call.quota || call.first || bearer.budget ? limited(hub, call, bearer, admission, place) : place()
}

async function limited(
  hub: Gateway,
  { quota, first, request }: Call,
  bearer: Bearer,
  { promptTokens, most }: Admission,
  place: () => Leave | Promise<Leave>,
): Promise<Leave> {
  quota?.take('tokens', promptTokens)
  const undo: Leave[] = [
    // What was not charged was not used.
    (paid) => quota?.use('tokens', paid?.completion ?? -promptTokens),
    // A stream that was cut short is not what its key stands for.
    (paid) => {
      if (paid?.state !== 'completed') first?.forget()
    },
  ]
  const leave: Leave = (paid) => {
    for (const each of undo.splice(0)) each(paid)
  }
  try {
    const readAgain = () => hub.keyring.findFresh(presentedKey(request) ?? '')
    undo.push(await hub.budgets.reserve(bearer, most, readAgain))
    undo.push(await place())
    return leave
  } catch (error) {
    leave()
    throw error
  }
}
