// Whose turn it is, by weight. Each party is owed `weight / total` of every turn, and pays one for each it takes.
// Among those that are owed anything, the one takes the turn that must have it soonest: earliest deadline first over
// eligible parties, which keeps every party within one turn of its exact share (R. Tijdeman, "The chairman assignment
// problem", 1980). The better-known "largest debt first" does not: its error grows with the number of parties.

export interface Party {
  /** Relative to the other parties; above zero. */
  weight: number
  /** Turns this party is behind its share; below zero: ahead of it. Always between -1 and 1 while nobody joins or leaves. */
  owed: number
}

/** Fractions of a turn below this are rounding, not debt. */
const ROUNDING = 1e-9

/** The party to take the next turn, of those that `can`; null when none can. Changes nothing: see `take`. */
export function whoseTurn<P extends Party>(parties: readonly P[], can: (party: P) => boolean): P | null {
  const total = totalWeight(parties)
  let due: P | null = null
  let dueAt = Number.POSITIVE_INFINITY
  for (const party of parties) {
    const owed = party.owed + party.weight / total
    // One that is owed nothing comes after all that are, the least ahead first.
    const deadline = owed > ROUNDING ? (1 - owed) / party.weight : Number.MAX_SAFE_INTEGER * (1 - owed)
    if (deadline < dueAt && can(party)) {
      due = party
      dueAt = deadline
    }
  }
  return due
}

/** `taker`, one of `parties`, takes a turn. */
export function take(parties: readonly Party[], taker: Party): void {
  const total = totalWeight(parties)
  for (const party of parties) party.owed += party.weight / total
  taker.owed -= 1
}

/** Shares among `parties` what one that left was owed, so that together they are owed nothing. */
export function inherit(parties: readonly Party[], owed: number): void {
  const total = totalWeight(parties)
  for (const party of parties) party.owed += (owed * party.weight) / total
}

function totalWeight(parties: readonly Party[]): number {
  let total = 0
  for (const party of parties) total += party.weight
  return total
}
