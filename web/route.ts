// Every address of the pages is one row of a table, so that what holds for all of them (who may see it, where a change
// may come from) is decided in one place and can be tested for each.
import type { VNode } from 'preact'
import type { Platform } from '../hub/gateway/platform.ts'

/** Who a page is for. */
export type Audience = 'anyone'

export interface Visit {
  hub: Platform
  request: Request
  url: URL
  /** What stands for `:name` and `*name` in the path, decoded. */
  params: Record<string, string>
}

/** A page, before it is put into the frame that all pages share. */
export interface Page {
  title: string
  /** Shown by search engines and when a link is shared. */
  description?: string
  body: VNode
  status?: number
}

export interface Route {
  method: 'GET' | 'POST'
  /** Segments; `:name` is one segment, `*name` the rest. */
  path: string
  who: Audience
  answer(visit: Visit): Promise<Page | Response> | Page | Response
}

/** The values of a path's variables, or null where it does not match. @throws URIError for broken percent-encoding */
export function matchPath(pattern: string, pathname: string): Record<string, string> | null {
  const params: Record<string, string> = {}
  const wanted = pattern.split('/')
  const given = pathname.split('/')
  for (const [i, segment] of wanted.entries()) {
    const value = given[i]
    if (segment.startsWith('*')) {
      const rest = given.slice(i).map(decodeURIComponent).join('/')
      if (rest === '') return null
      return { ...params, [segment.slice(1)]: rest }
    }
    if (value === undefined) return null
    if (segment.startsWith(':')) {
      if (value === '') return null
      params[segment.slice(1)] = decodeURIComponent(value)
    } else if (segment !== value) return null
  }
  return given.length === wanted.length ? params : null
}
