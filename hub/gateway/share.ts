// How places are shared out when there are fewer than requests. Pure: running.ts keeps the counts, this decides.
//
// A variant has places for more requests than its hosts work on at a time: beyond that answers come slower, up to a
// stated bound. Who comes when all are taken waits in a room that is bounded, too. A place that becomes free goes to
// whoever has the fewest (max-min fairness), so that a client with ten thousand requests takes nothing from one with two.

export interface Room {
  /** Requests that may run at a time. */
  places: number
  /** The most of them that one account may take while others could come: what it leaves costs it nothing, see below. */
  mostOfOne: number
  /** Requests that may wait for a place. */
  waiting: number
}

/** A room for so few keeps at least this many waiting, so that a burst at one small host is not refused. */
const LEAST_WAITING = 8
const SHARE_OF_ONE = 3 / 4

/**
 * @param slots requests all hosts of a variant together work on at a time, as their engines say
 * @param loadFactor places a slot: above one, an engine always has the next request at hand
 * @param queueFactor requests that may wait here, a slot
 */
export function roomFor(slots: number, factors: { loadFactor: number; queueFactor: number }): Room {
  const places = Math.ceil(slots * factors.loadFactor)
  return {
    places,
    // Never below the slots: nothing idles because of it, and yet a newcomer finds a place.
    mostOfOne: Math.min(places, Math.max(slots, Math.floor(places * SHARE_OF_ONE))),
    waiting:
      slots === 0 || factors.queueFactor === 0 ? 0 : Math.max(LEAST_WAITING, Math.ceil(slots * factors.queueFactor)),
  }
}

/** One that shares: an account, or within it a key. */
export interface Party {
  running: number
  waiting: number
  /** When it last took a place, as a count of places taken: of equals, who was served longest ago comes first. */
  servedAt: number
}

/** Who a free place goes to: of those that wait and `may` have it, the one with the fewest; null when there is none. */
export function mostDue<P extends Party>(parties: Iterable<P>, may: (party: P) => boolean = () => true): P | null {
  let due: P | null = null
  for (const party of parties) {
    if (party.waiting === 0 || !may(party)) continue
    if (due === null || party.running < due.running || (party.running === due.running && party.servedAt < due.servedAt))
      due = party
  }
  return due
}

/**
 * Who gives up a place in a full waiting room for one more request of `newcomer`: the party with the most, if it has so
 * many more that it still has no fewer afterwards; null: the newcomer is refused.
 */
export function givesWay<P extends Party>(parties: Iterable<P>, newcomer: Party): P | null {
  let most: P | null = null
  for (const party of parties) {
    if (party.waiting > 0 && (most === null || weight(party) > weight(most))) most = party
  }
  return most !== null && weight(most) > weight(newcomer) + 1 ? most : null
}

function weight({ running, waiting }: Party): number {
  return running + waiting
}

const LEAST_SECONDS = 1
const MOST_SECONDS = 10
/** Nobody left yet, so nobody knows how fast the room empties. */
const UNKNOWN_SECONDS = 5

/**
 * Whole seconds after which trying again is worth it: the time in which those that wait will have gone, 1 to 10, give or
 * take a fifth, so that those refused together do not return together.
 * @param chance from 0 to below 1
 */
export function secondsUntilRoom(queue: { waiting: number; leftPerSecond: number }, chance: number): number {
  const { waiting, leftPerSecond } = queue
  const seconds = leftPerSecond > 0 ? (waiting + 1) / leftPerSecond : UNKNOWN_SECONDS
  const bounded = Math.min(MOST_SECONDS, Math.max(LEAST_SECONDS, seconds))
  return Math.min(MOST_SECONDS, Math.max(LEAST_SECONDS, Math.round(bounded * (0.8 + 0.4 * chance))))
}
