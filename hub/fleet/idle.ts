import type { Traffic } from '../ledger/traffic.ts'
import type { FleetHost } from './list.ts'

/** Why a machine earns nothing just now, and what to do about it. */
export function whyIdle(host: FleetHost, demand: Traffic[], hostsFor: (variant: string) => number): string {
  switch (host.state) {
    case 'gone':
      if (host.left) return 'It has left: gpuhost was removed from it. What it earned stays.'
      return 'It is not connected. On the machine: gpuhost status, then gpuhost start.'
    case 'connecting':
      return 'It is connected, and its engine is not ready yet.'
    case 'draining':
      return restWords(host.rests)
    case 'tripped':
      if (host.network?.state === 'below') return host.network.words
      return 'Several requests failed on it, so it sits out for a while and then proves itself with one request.'
    case 'quarantined':
      return `The people who run this hub keep it from requests: ${host.quarantine ?? 'they are checking its answers'}.`
    case 'ready':
      break
  }
  const wanted = demand.filter(({ group }) => host.models.includes(group))
  const requests = wanted.reduce((sum, each) => sum + each.completed + each.cancelled, 0)
  const rivals = Math.max(0, ...host.models.map(hostsFor))
  if (requests === 0) return 'Nobody asked for its models in the last hour.'
  return `${requests.toLocaleString('en-US')} requests for its models in the last hour were shared among ${rivals} hosts; its turn comes.`
}

const RESTS = new Map([
  ['owner', 'Its owner is stopping it. gpuhost start starts it again.'],
  ['use', 'Its owner uses the card. It comes back by itself.'],
  ['schedule', 'It is outside its schedule. It comes back by itself.'],
  ['power', 'The price is below the cost of its power. It comes back by itself once the price is higher.'],
  ['heat', 'Its card is too hot. It comes back by itself once it has cooled down.'],
  ['data', 'What it may send and receive in a month is used up. It comes back by itself next month.'],
  ['engine', 'Its engine is not ready. On the machine: gpuhost status says why.'],
])

/** `rests`: the host's own word for it. */
function restWords(rests: string | null): string {
  return RESTS.get(rests ?? '') ?? 'It takes nothing new, as you or the hub asked. Resume, or gpuhost start.'
}
