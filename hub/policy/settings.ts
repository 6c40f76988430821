// What the team may decide about its hub while it runs: every setting named, defaulted, explained. The table holds only
// what differs from here. What a process needs before it has a database is in config.ts.
import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { HubError } from '../errors.ts'

/** What people agreed to who were added before they could be asked. */
export const FIRST_TERMS = '1'

const countries = (description: string) =>
  Type.Array(Type.String({ pattern: '^([A-Z]{2}|\\*)$' }), {
    default: ['US'],
    minItems: 1,
    maxItems: 250,
    uniqueItems: true,
    description: `${description} ISO 3166-1 codes of two letters; "*" is everywhere.`,
  })

const oneOf = <const T extends string>(values: readonly T[], fallback: T, description: string) =>
  Type.Unsafe<T>(
    Type.Union(
      values.map((value) => Type.Literal(value)),
      { default: fallback, description },
    ),
  )

const terms = (description: string) =>
  Type.Object(
    {
      version: Type.String({ minLength: 1, maxLength: 40, pattern: '^[\\w.-]+$' }),
      demandedFrom: Type.Union([Type.Null(), Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\d(T[\\d:.]+Z)?$' })]),
    },
    {
      default: { version: FIRST_TERMS, demandedFrom: null },
      additionalProperties: false,
      description: `${description} Another version asks everybody again, from "demandedFrom" (UTC; null: at once) on.`,
    },
  )

export const Settings = Type.Object({
  clientCountries: countries('Where clients may sign up.'),
  hostCountries: countries('Where owners of hosts may sign up.'),
  clientSignUp: oneOf(['invited', 'open'], 'invited', 'Who may become a client: the invited, or everybody.'),
  hostSignUp: oneOf(['invited', 'open'], 'invited', 'Who may become the owner of hosts: the invited, or everybody.'),
  trialCredit: Type.String({
    default: '5.00',
    pattern: '^\\d{1,6}(\\.\\d{1,9})?$',
    description: 'Credit of a new client, USD; an invitation may say otherwise.',
  }),
  creditLow: Type.String({
    default: '1.00',
    pattern: '^\\d{1,6}(\\.\\d{1,9})?$',
    description: 'A client who has used the hub and has less credit than this, USD, gets a letter; 0: nobody does.',
  }),
  clientTerms: terms('Terms of service of clients.'),
  hostTerms: terms('Terms of service of hosts.'),
  unvettedTrafficPercent: Type.Integer({
    default: 5,
    minimum: 0,
    maximum: 100,
    description: 'The most of a variant’s traffic that its hosts not yet vetted get together, beside vetted ones.',
  }),
  vetAfterRequests: Type.Union([Type.Null(), Type.Integer({ minimum: 1, maximum: 10_000_000 })], {
    default: null,
    description:
      'A checked host is vetted by itself after so many answers without a stain (one in a hundred may be); null: by hand only.',
  }),
  vetAfterDays: Type.Integer({
    default: 7,
    minimum: 0,
    maximum: 3_650,
    description: 'And not sooner than so many days after it was checked.',
  }),
  hostDownMbits: Type.Number({
    default: 20,
    minimum: 0,
    maximum: 100_000,
    description: 'Least download that a host’s line is asked for, at set-up and all the time, Mbit/s.',
  }),
  hostUpMbits: Type.Number({
    default: 5,
    minimum: 0,
    maximum: 100_000,
    description: 'Least upload, likewise, Mbit/s.',
  }),
  hostRoundTripMs: Type.Number({
    default: 150,
    minimum: 1,
    maximum: 60_000,
    description: 'Longest round trip, likewise, ms.',
  }),
  hostLinkLosses: Type.Integer({
    default: 3,
    minimum: 1,
    maximum: 1_000,
    description: 'So many links lost within an hour are too many: a host that loses fewer is fine.',
  }),
  requestsPerMinute: Type.Union([Type.Null(), Type.Integer({ minimum: 1, maximum: 10_000_000 })], {
    default: null,
    description: 'Most requests a minute of one client; null: none but the fair shares.',
  }),
  communityLinks: Type.Array(
    Type.Object(
      {
        name: Type.String({ minLength: 1, maxLength: 40 }),
        url: Type.String({ pattern: '^https://[^\\s<>"]+$', maxLength: 200 }),
      },
      { additionalProperties: false },
    ),
    { default: [], maxItems: 10, description: 'Where the community meets: shown at the foot of every page.' },
  ),
  alertWebhook: Type.String({
    default: '',
    pattern: '^(https://[^\\s<>"]+)?$',
    maxLength: 500,
    description: 'Where alarms are posted as signed JSON, when they begin and end; empty: nowhere.',
    secret: true,
  }),
})
export type Settings = Static<typeof Settings>
export type SettingName = keyof Settings

/** One setting as a page or a list shows it. */
export interface SettingRow {
  name: SettingName
  value: unknown
  fallback: unknown
  description: string
  /** Its value opens something: it is not repeated in the record of acts. */
  secret: boolean
}

export const defaults: Settings = Object.freeze(Value.Create(Settings))

export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(Settings.properties, name)
}

/** What the table says, laid over the defaults. A value that no longer fits its schema counts as never set. */
export function settingsFrom(rows: readonly { name: string; value: unknown }[]): Settings {
  const given = rows.filter(({ name, value }) => isSettingName(name) && Value.Check(schemaOf(name), value))
  return Object.freeze({ ...defaults, ...Object.fromEntries(given.map(({ name, value }) => [name, value])) })
}

export function listSettings(settings: Settings): SettingRow[] {
  return (Object.keys(Settings.properties) as SettingName[]).map((name) => {
    const schema = schemaOf(name)
    return {
      name,
      value: settings[name],
      fallback: defaults[name],
      description: schema.description ?? '',
      secret: schema.secret === true,
    }
  })
}

/** @throws HubError that names the setting and says what it takes */
export function checkSetting(name: string, value: unknown): SettingName {
  if (!isSettingName(name)) {
    throw new HubError('invalid_request', `There is no setting "${name.slice(0, 40)}". GET lists them all.`, {
      param: name.slice(0, 40),
    })
  }
  const schema = schemaOf(name)
  const [fault] = Value.Errors(schema, value)
  if (fault) {
    const where = fault.path === '' ? name : `${name}${fault.path.replaceAll('/', '.')}`
    throw new HubError('invalid_request', `"${where}" cannot be that. ${schema.description}`, { param: name })
  }
  return name
}

export function isSecret(name: SettingName): boolean {
  return schemaOf(name).secret === true
}

/** Whether a country is on a list of countries. */
export function allows(countries: readonly string[], country: string): boolean {
  return countries.includes('*') || countries.includes(country)
}

function schemaOf(name: SettingName): TSchema {
  return Settings.properties[name]
}
