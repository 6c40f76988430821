// What lists of machines have in common: what an address asks for, and the way to the next page.
import { type HostFilter, type HostPlace, LINK_STATES } from '../../hub/fleet/list-filter.ts'

/** A word that stands for no state asks for all. */
export function hostFilter({ state, search }: { state: string; search: string }): HostFilter {
  return { state: LINK_STATES.find((each) => each === state), search: search === '' ? undefined : search }
}

/** The last machine of the page before. */
export function readPlace(search: URLSearchParams): HostPlace | null {
  const seenAt = Number(search.get('seen') ?? Number.NaN)
  const id = search.get('after')
  return Number.isSafeInteger(seenAt) && id !== null ? { seenAt, id } : null
}

export function More({ path, search, next }: { path: string; search: URLSearchParams; next: HostPlace | null }) {
  if (next === null) return null
  const further = new URLSearchParams([...search, ['seen', String(next.seenAt)], ['after', next.id]])
  return (
    <p>
      <a href={`${path}?${further}`}>More</a>
    </p>
  )
}
