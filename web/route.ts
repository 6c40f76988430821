// Every address of the pages is one row of a table, so that what holds for all of them (who may see it, where a change
// may come from) is decided in one place and can be tested for each.
import type { VNode } from 'preact'
import type { Connection } from '../hub/gateway/connection.ts'
import type { Platform } from '../hub/gateway/platform.ts'
import type { SignedIn } from '../hub/identity/guard.ts'
import type { Form } from './form.ts'

/** Who a page is for; the last three are roles. */
export type Audience = 'anyone' | 'signed in' | 'client' | 'host' | 'admin'

export interface Visit {
  hub: Platform
  request: Request
  connection: Connection
  url: URL
  /** What stands for `:name` and `*name` in the path, decoded. */
  params: Record<string, string>
  /** Who is signed in, if anybody is. */
  guest: SignedIn | null
}

/** A visit of somebody who is signed in, and may be here. */
export interface MemberVisit extends Visit {
  guest: SignedIn
  /** What was sent; empty for a GET. */
  form: Form
}

/** A page, before it is put into the frame that all pages share. */
export interface Page {
  title: string
  /** Shown by search engines and when a link is shared. */
  description?: string
  body: VNode
  status?: number
  /** Addresses of scripts that only this page needs. */
  scripts?: string[]
  cookies?: string[]
}

export type Answer = Promise<Page | Response> | Page | Response

export interface Route {
  method: 'GET' | 'POST'
  /** Segments; `:name` is one segment, `*name` the rest. */
  path: string
  who: Audience
  /** The address says who may do it: no page of ours has to ask, and what else is sent is not read. */
  bySignature?: true
  answer(visit: Visit & { form: Form }): Answer
}

/** A page that strangers see, too. */
export function open(path: string, answer: (visit: Visit) => Answer): Route {
  return { method: 'GET', path, who: 'anyone', answer }
}

/** A change that strangers may ask for, such as signing in. */
export function openAct(path: string, answer: (visit: Visit & { form: Form }) => Answer): Route {
  return { method: 'POST', path, who: 'anyone', answer }
}

/** A change that an address asks for by itself, because the hub signed it; `answer` checks that before anything. */
export function signedAct(path: string, answer: (visit: Visit) => Answer): Route {
  return { method: 'POST', path, who: 'anyone', bySignature: true, answer }
}

/** A page of one role. */
export function page(who: Exclude<Audience, 'anyone'>, path: string, answer: (visit: MemberVisit) => Answer): Route {
  return { method: 'GET', path, who, answer: (visit) => answer(member(visit)) }
}

/** A change of state, asked for by a form. */
export function act(who: Exclude<Audience, 'anyone'>, path: string, answer: (visit: MemberVisit) => Answer): Route {
  return { method: 'POST', path, who, answer: (visit) => answer(member(visit)) }
}

function member(visit: Visit & { form: Form }): MemberVisit {
  if (!visit.guest) throw new Error('a page for members was shown to a stranger')
  return { ...visit, guest: visit.guest }
}

/** After a change: the page to look at now. */
export function seeOther(path: string, ...cookies: string[]): Response {
  const headers = new Headers({ location: path, 'cache-control': 'no-store' })
  for (const cookie of cookies) headers.append('set-cookie', cookie)
  return new Response(null, { status: 303, headers })
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
