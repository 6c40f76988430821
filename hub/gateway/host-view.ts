import type { HostView } from '../../sdk/host-view.ts'
import { usdDecimal } from '../../sdk/money.ts'
import { HubError } from '../errors.ts'
import { whyIdle } from '../fleet/idle.ts'
import { findHost, type ListedHost } from '../fleet/list.ts'
import { leastOf } from '../fleet/network-round.ts'
import { trafficOf } from '../ledger/traffic.ts'
import type { Platform } from './platform.ts'

const HOUR_MS = 60 * 60_000

/** One of an owner's hosts as this hub sees it. @throws HubError for any other */
export async function viewHost(hub: Platform, ownerId: string, id: string): Promise<HostView> {
  const { env, db, turns } = hub
  const host = await findHost(env, db, id, ownerId)
  if (!host) throw new HubError('not_found', 'There is no such host of yours.')
  const to = env.now() + 1
  const own = { hostIds: [id] }
  const [[day], hour, demand] = await Promise.all([
    trafficOf(db, own, { from: to - 24 * HOUR_MS, to, by: 'all' }),
    trafficOf(db, own, { from: to - HOUR_MS, to, by: 'all' }),
    trafficOf(db, 'everybody', { from: to - HOUR_MS, to, by: 'variant' }),
  ])
  const busy = hour.length > 0 && host.state === 'ready'
  return {
    ...{ id, state: host.state },
    idle: busy ? null : whyIdle(host, demand, (variant) => turns.count(variant)),
    network: networkOf(hub, host),
    requests: day ? day.completed + day.cancelled : 0,
    earned: usdDecimal(day?.hostShare ?? 0n),
  }
}

function networkOf(hub: Platform, { network }: ListedHost): HostView['network'] {
  if (!network) return null
  const { state, since, downMbits, upMbits, roundTripMs, linkLosses, words } = network
  return {
    ...{ state, since: new Date(since).toISOString(), downMbits, upMbits, roundTripMs, linkLosses, words },
    least: leastOf(hub.policy.current()),
  }
}
