// Terms of service: which are in force, who accepted them, who is asked (again).
import { eq } from 'drizzle-orm'
import type { Db, Queries } from '../../db/open.ts'
import type { AcceptedTerms, Role, TermsRole } from '../../db/schema/people.ts'
import { transaction } from '../../db/transaction.ts'
import { type Env, newId } from '../../sdk/env.ts'
import { HubError } from '../errors.ts'
import { FIRST_TERMS, type Settings } from '../policy/settings.ts'
import type { User } from './users.ts'

/** Terms as somebody in that role sees them. */
export interface TermsState {
  role: TermsRole
  version: string
  accepted: boolean
  /** Not accepted, and by now that stops them. */
  demanded: boolean
}

export function termsVersion(settings: Settings, role: TermsRole): string {
  return termsOf(settings, role).version
}

/** For each role of theirs that has terms. */
export function termsStates(
  settings: Settings,
  user: { roles: readonly Role[]; terms: AcceptedTerms | null },
  now: number,
): TermsState[] {
  return rolesWithTerms(user.roles).map((role) => {
    const { version, demandedFrom } = termsOf(settings, role)
    // Whom the team added by hand could not be asked; that they agree with the first version is the team's word.
    const accepted = (user.terms === null ? FIRST_TERMS : user.terms[role]) === version
    return {
      role,
      version,
      accepted,
      demanded: !accepted && (demandedFrom === null || now >= Date.parse(demandedFrom)),
    }
  })
}

/** @throws HubError `terms_not_accepted` when somebody who wants to be `roles` said yes to anything but the terms in force */
export function checkAccepted(settings: Settings, roles: readonly Role[], accepted: AcceptedTerms): AcceptedTerms {
  const inForce = rolesWithTerms(roles).map((role) => [role, termsVersion(settings, role)] as const)
  for (const [role, version] of inForce) if (accepted[role] !== version) throw notAccepted(role, version)
  return Object.fromEntries(inForce)
}

/** @throws HubError `terms_not_accepted` for somebody who has to accept newer terms before they go on in that role */
export function requireTerms(settings: Settings, terms: AcceptedTerms | null, role: TermsRole, now: number): void {
  const [state] = termsStates(settings, { roles: [role], terms }, now)
  if (state?.demanded) throw notAccepted(role, state.version)
}

/** Accepting twice keeps the first time. @throws HubError when `version` is not the one in force */
export async function acceptTerms(
  env: Env,
  db: Db,
  settings: Settings,
  user: Pick<User, 'id' | 'roles'>,
  { role, version }: { role: TermsRole; version: string },
): Promise<void> {
  if (!user.roles.includes(role)) throw new HubError('invalid_request', `You are no ${role} here.`, { param: 'role' })
  if (version !== termsVersion(settings, role)) throw notAccepted(role, termsVersion(settings, role))
  await transaction(db, async (tx) => {
    const { users } = db.tables
    const [row] = await tx.select({ terms: users.terms }).from(users).where(eq(users.id, user.id))
    if (row?.terms?.[role] === version) return
    await writeAcceptances(env, db, tx, user.id, { [role]: version })
    await tx
      .update(users)
      .set({ terms: { ...row?.terms, [role]: version } })
      .where(eq(users.id, user.id))
  })
}

export async function writeAcceptances(
  env: Env,
  { tables }: Db,
  tx: Queries,
  userId: string,
  terms: AcceptedTerms,
): Promise<void> {
  for (const [role, version] of Object.entries(terms) as [TermsRole, string][]) {
    await tx.insert(tables.acceptances).values({ id: newId(env, 'acc'), userId, role, version, at: env.now() })
  }
}

function rolesWithTerms(roles: readonly Role[]): TermsRole[] {
  return roles.filter((role) => role !== 'admin')
}

function termsOf(settings: Settings, role: TermsRole): Settings['clientTerms'] {
  return role === 'client' ? settings.clientTerms : settings.hostTerms
}

function notAccepted(role: TermsRole, version: string): HubError {
  return new HubError(
    'terms_not_accepted',
    `Read and accept the terms of service for ${role}s, version ${version}: on the hub's pages, or POST ` +
      `/api/v1/me/terms with {"role":"${role}","version":"${version}"}.`,
    { param: 'terms' },
  )
}
