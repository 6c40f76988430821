// This machine as a member of a hub: what it shows to be believed.
import type { Env } from '../../sdk/env.ts'
import { PROOF_HEADER } from '../../sdk/wire/machine-key.ts'
import type { CatalogVariant } from '../../sdk/catalog.ts'
import { HostDeparture } from '../../sdk/host-departure.ts'
import { HostEarnings } from '../../sdk/host-earnings.ts'
import { HostView } from '../../sdk/host-view.ts'
import { HostError } from '../errors.ts'
import { askHub, refusalOf, understood } from './ask.ts'

export interface Member {
  env: Env
  /** As `httpAddress` gives it. */
  hub: string
  token: string
  /** That the token is shown by this machine; null: there is nothing to show. */
  prove: (token: string) => string | null
}

export function memberHeaders({ token, prove }: Member): Record<string, string> {
  const proof = prove(token)
  return { authorization: `Bearer ${token}`, ...(proof === null ? {} : { [PROOF_HEADER]: proof }) }
}

/** The owner has confirmed every statement of the licence. @throws HostError when the hub does not take it */
export async function confirmLicence(member: Member, { model, statements }: CatalogVariant): Promise<void> {
  const body = { model, statements: statements.map(({ id }) => id) }
  const question = { hub: member.hub, path: '/api/v1/hosts/licences', body, headers: memberHeaders(member) }
  const answer = await askHub(member.env, question)
  if (answer.status !== 200)
    throw new HostError(refusalOf(answer.body) ?? `The hub answers ${answer.status} to the licence.`)
}

/** How the hub sees a host of this owner. @throws HostError */
export async function viewOf(member: Member, id: string): Promise<HostView> {
  const question = { hub: member.hub, path: `/api/v1/hosts/${encodeURIComponent(id)}`, headers: memberHeaders(member) }
  return understood(HostView, question, await askHub(member.env, question))
}

/** What this machine earned since `from`, milliseconds since 1970. @throws HostError */
export async function earningsSince(member: Member, machine: string, from: number): Promise<HostEarnings> {
  const query = new URLSearchParams({ machine, from: String(from) })
  const question = { hub: member.hub, path: `/api/v1/hosts/earnings?${query}`, headers: memberHeaders(member) }
  return understood(HostEarnings, question, await askHub(member.env, question))
}

/** The program is about to be taken off this machine. @throws HostError */
export async function depart(member: Member, machine: string): Promise<HostDeparture> {
  const question = {
    hub: member.hub,
    path: '/api/v1/hosts/departure',
    body: { machine },
    headers: memberHeaders(member),
  }
  return understood(HostDeparture, question, await askHub(member.env, question))
}
