import type { Role } from '../../db/schema/people.ts'

/** What there is news of, whom it is for, and what a page calls it. */
export const newsKinds = {
  'credit-low': { role: 'client', label: 'My credit runs low' },
  'key-budget': { role: 'client', label: 'The budget of a key is used up' },
  'machine-offline': { role: 'host', label: 'A machine was lost, and has not come back' },
  'machine-quarantined': { role: 'host', label: 'A machine is kept from requests' },
  'network-below': { role: 'host', label: 'A machine’s network is below the minimum' },
  'update-failed': { role: 'host', label: 'A machine went back to its older program, because an update failed' },
  alarm: { role: 'admin', label: 'Something about this hub needs a look' },
} as const satisfies Record<string, { role: Role; label: string }>
export type NewsKind = keyof typeof newsKinds

export function isNewsKind(kind: string): kind is NewsKind {
  return Object.hasOwn(newsKinds, kind)
}
