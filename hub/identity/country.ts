// Where people may sign up from.
import type { Role } from '../../db/schema/people.ts'
import { HubError } from '../errors.ts'
import { allows, type Settings } from '../policy/settings.ts'

/** One that people declare: ISO 3166-1, two letters. @throws HubError */
export function readCountry(text: string): string {
  const country = text.trim().toUpperCase()
  if (!/^[A-Z]{2}$/.test(country)) {
    throw new HubError('invalid_request', 'A country is written as two letters, like US.', { param: 'country' })
  }
  return country
}

/** @throws HubError `country_not_allowed` */
export function checkCountry(settings: Settings, roles: readonly Role[], country: string): void {
  const open: Record<Role, readonly string[]> = {
    client: settings.clientCountries,
    host: settings.hostCountries,
    admin: ['*'],
  }
  const closed = roles.find((role) => !allows(open[role], country))
  if (closed === undefined) return
  throw new HubError(
    'country_not_allowed',
    `This hub takes ${closed}s from ${open[closed].join(', ')} only, so far. Nothing of yours was kept.`,
    { param: 'country' },
  )
}
