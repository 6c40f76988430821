// Whether a host's connection does what the team asks of hosts, all the time. A line that falls below is first warned
// about, then gets no requests, and comes back by itself once it has been clear of the limits for a while. Pure: what is
// measured, and where it is kept, is in network-book.ts and network-round.ts.
import type { NetworkFault, NetworkState } from '../../db/schema/fleet.ts'

export type { NetworkFault, NetworkState } from '../../db/schema/fleet.ts'

/** What the team asks of a host's connection. */
export interface Least {
  downMbits: number
  upMbits: number
  /** At most. */
  roundTripMs: number
  /** So many links lost within an hour are too many. */
  linkLosses: number
}

/** What is known of a connection; null: not measured. What is not measured is not held against anybody. */
export interface Measured {
  downMbits: number | null
  upMbits: number | null
  roundTripMs: number | null
  linkLosses: number
}

export interface NetworkStanding {
  state: NetworkState
  /** Milliseconds since 1970, as all instants here. */
  since: number
  /** Clear of the limits since then, without a break; null: it is not. Who gets no requests is to be clear by a margin. */
  clearSince: number | null
}

/** A fault that lasts so long stops the requests. */
export const WARNED_MS = 30 * 60_000
/** So long without one ends the matter. */
export const CLEAR_MS = 10 * 60_000
export const LOSSES_WITHIN_MS = 60 * 60_000
/** Whoever is to come back has to be better than the minimum by so much, so that nobody comes and goes at its edge. */
const MARGIN = 0.1

export const fine = (now: number): NetworkStanding => ({ state: 'ok', since: now, clearSince: null })

/**
 * What follows from what is measured now. `linked` false: the host is at no hub, so nothing is learnt, and nothing
 * changes.
 */
export function judgeNetwork(
  before: NetworkStanding,
  { measured, least, linked, now }: { measured: Measured; least: Least; linked: boolean; now: number },
): NetworkStanding {
  const faulty = faultsOf(measured, least).length > 0
  if (before.state === 'ok') return faulty && linked ? { state: 'warned', since: now, clearSince: null } : before
  if (!linked) return before.clearSince === null ? before : { ...before, clearSince: null }
  if (before.state === 'warned' && faulty && now - before.since >= WARNED_MS)
    return { state: 'below', since: now, clearSince: null }
  if (faultsOf(measured, before.state === 'below' ? withMargin(least) : least).length > 0)
    return before.clearSince === null ? before : { ...before, clearSince: null }
  if (before.clearSince === null) return { ...before, clearSince: now }
  return now - before.clearSince >= CLEAR_MS ? fine(now) : before
}

/** What is below the minimum, the most telling first. */
export function faultsOf({ downMbits, upMbits, roundTripMs, linkLosses }: Measured, least: Least): NetworkFault[] {
  const faults: (NetworkFault | false)[] = [
    upMbits !== null && upMbits < least.upMbits && { what: 'upload', actual: upMbits, required: least.upMbits },
    downMbits !== null &&
      downMbits < least.downMbits && { what: 'download', actual: downMbits, required: least.downMbits },
    roundTripMs !== null &&
      roundTripMs > least.roundTripMs && { what: 'round trip', actual: roundTripMs, required: least.roundTripMs },
    linkLosses >= least.linkLosses && { what: 'link losses', actual: linkLosses, required: least.linkLosses },
  ]
  return faults.filter((fault) => fault !== false)
}

/** `3.1 of 5 Mbit/s up`. */
export function faultWords({ what, actual, required }: NetworkFault): string {
  switch (what) {
    case 'download':
      return `${actual} of ${required} Mbit/s down`
    case 'upload':
      return `${actual} of ${required} Mbit/s up`
    case 'round trip':
      return `a round trip of ${actual} ms, at most ${required} are allowed`
    case 'link losses':
      return `${actual} lost ${actual === 1 ? 'link' : 'links'} in an hour, fewer than ${required} are allowed`
  }
}

const REMEDIES: Record<NetworkFault['what'], string> = {
  download: 'Use a cable instead of Wi-Fi, and end other downloads.',
  upload: 'Use a cable instead of Wi-Fi, and end other uploads: backups, cameras, calls.',
  'round trip': 'Use a cable instead of Wi-Fi, and look for uploads that fill the line.',
  'link losses': 'Use a cable instead of Wi-Fi, and look at the router’s own record of its connection.',
}

/** What is wrong and what to do about it, in sentences. Empty: nothing. */
export function networkWords(state: NetworkState, faults: readonly NetworkFault[]): string {
  const [worst] = faults
  // Short enough for a line of `gpuhost status`; the page has them all.
  const what = faults.slice(0, 2).map(faultWords).join('; ')
  if (state === 'ok') return ''
  if (!worst) return `Its network was below the minimum and is measured to be better now. ${soon(state)}`
  return state === 'below'
    ? `Network below the minimum: ${what}. ${REMEDIES[worst.what]} ${soon(state)}`
    : `Network below the minimum: ${what}. It still gets requests; if this lasts for ${WARNED_MS / 60_000} minutes it gets none. ${REMEDIES[worst.what]}`
}

function soon(state: NetworkState): string {
  const minutes = CLEAR_MS / 60_000
  return state === 'below'
    ? `After ${minutes} minutes above it, it gets requests again by itself.`
    : `After ${minutes} minutes above it, all is well.`
}

/** What one hub saw of a host's connection. */
export interface Sighting {
  roundTripMs: number | null
  /** When links of it were lost. */
  losses: readonly number[]
  /** The host is linked to that hub now. */
  linked: boolean
  hubStartedAt: number
}

/**
 * What several hubs saw, as one. A line that breaks breaks the links to all of them, and a slow one is slow to all: what
 * only one hub sees is that hub's own trouble, so the best of what they saw counts. A hub too young to have seen an hour
 * is asked about losses only where none is older.
 */
export function together(sightings: readonly Sighting[], now: number): Pick<Measured, 'roundTripMs' | 'linkLosses'> {
  const trips = sightings.flatMap(({ roundTripMs, linked }) => (linked && roundTripMs !== null ? [roundTripMs] : []))
  const since = now - LOSSES_WITHIN_MS
  const elders = sightings.filter(({ hubStartedAt }) => hubStartedAt <= since)
  const counts = (elders.length > 0 ? elders : sightings).map(({ losses }) => losses.filter((at) => at > since).length)
  return {
    roundTripMs: trips.length > 0 ? Math.min(...trips) : null,
    linkLosses: counts.length > 0 ? Math.min(...counts) : 0,
  }
}

function withMargin(least: Least): Least {
  return {
    downMbits: least.downMbits * (1 + MARGIN),
    upMbits: least.upMbits * (1 + MARGIN),
    roundTripMs: least.roundTripMs * (1 - MARGIN),
    linkLosses: Math.max(1, least.linkLosses - 1),
  }
}
