// Every setting of the hub: named, defaulted, explained. Read once, in bin; handed down as a value.
import { type Static, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'

/** `env` is the variable a setting is read from; `flag`, where there is one, wins over it. */
const setting = (env: string, flag?: string) => ({ env, flag })

export const Config = Type.Object({
  port: Type.Integer({
    default: 8080,
    minimum: 0,
    maximum: 65_535,
    description: 'Port to listen on; 0 takes a free one.',
    ...setting('GPUHUB_PORT', 'port'),
  }),
  host: Type.String({ default: '127.0.0.1', description: 'Address to listen on.', ...setting('GPUHUB_HOST', 'host') }),
  data: Type.String({
    default: './data',
    description: 'Folder for the SQLite file and the secret.',
    ...setting('GPUHUB_DATA', 'data'),
  }),
  databaseUrl: Type.String({
    default: '',
    description: 'PostgreSQL URL; empty uses SQLite in the data folder.',
    ...setting('DATABASE_URL'),
  }),
  publicUrl: Type.String({
    default: '',
    description: 'Where clients reach this deployment; empty derives it from host and port.',
    ...setting('GPUHUB_PUBLIC_URL'),
  }),
  selfUrl: Type.String({
    default: '',
    description: 'Where hosts reach this very hub, when several share a database.',
    ...setting('GPUHUB_SELF_URL'),
  }),
  secret: Type.String({
    default: '',
    description: 'At least 32 characters; made and kept in the data folder when empty. Required with PostgreSQL.',
    ...setting('GPUHUB_SECRET'),
  }),
  trustedProxies: Type.String({
    default: '127.0.0.0/8, ::1',
    description: 'Addresses and networks of proxies whose X-Forwarded-For is believed.',
    ...setting('GPUHUB_TRUSTED_PROXIES'),
  }),
  countryHeader: Type.String({
    default: '',
    description: 'Header in which such a proxy says the caller’s country (two letters); empty: none does.',
    ...setting('GPUHUB_COUNTRY_HEADER'),
  }),
  allowSimulated: Type.Boolean({
    default: false,
    description: 'Accept hosts that say openly that their GPU is simulated.',
    ...setting('GPUHUB_ALLOW_SIMULATED'),
  }),
  feePpm: Type.Integer({
    default: 150_000,
    minimum: 0,
    maximum: 900_000,
    description: "The platform's fee, parts per million of every charge.",
    ...setting('GPUHUB_FEE_PPM'),
  }),
  firstTokenSeconds: Type.Integer({
    default: 60,
    minimum: 1,
    maximum: 600,
    description: 'Longest wait for the first token, over all attempts.',
    ...setting('GPUHUB_FIRST_TOKEN_SECONDS'),
  }),
  streamMinutes: Type.Integer({
    default: 30,
    minimum: 1,
    maximum: 240,
    description: 'Longest life of one answer.',
    ...setting('GPUHUB_STREAM_MINUTES'),
  }),
  attempts: Type.Integer({
    default: 3,
    minimum: 1,
    maximum: 10,
    description: 'Hosts tried for one request.',
    ...setting('GPUHUB_ATTEMPTS'),
  }),
  keyConcurrency: Type.Integer({
    default: 256,
    minimum: 1,
    maximum: 100_000,
    description: 'Requests one API key may have running.',
    ...setting('GPUHUB_KEY_CONCURRENCY'),
  }),
  maxRunning: Type.Integer({
    default: 5_000,
    minimum: 1,
    maximum: 100_000,
    description: 'Requests this hub runs at a time; more are refused before admission.',
    ...setting('GPUHUB_MAX_RUNNING'),
  }),
  graceSeconds: Type.Integer({
    default: 30,
    minimum: 0,
    maximum: 600,
    description: 'How long running answers may take to finish when the hub stops.',
    ...setting('GPUHUB_GRACE_SECONDS'),
  }),
  logJson: Type.Boolean({
    default: false,
    description: 'Log as JSON lines; on by itself when stderr is not a terminal.',
    ...setting('GPUHUB_LOG_JSON'),
  }),
})
export type Config = Static<typeof Config>

/** A setting that cannot be used; the message names the variable and what it takes. */
export class ConfigError extends Error {
  override name = 'ConfigError'
}

export interface Setting {
  name: keyof Config
  env: string
  flag: string | undefined
  description: string
  fallback: string | number | boolean
}

/** All settings, in the order in which `gpuhub serve --help` lists them. */
export function settings(): Setting[] {
  return Object.entries(Config.properties).map(([name, schema]) => ({
    name: name as keyof Config,
    env: schema.env as string,
    flag: schema.flag as string | undefined,
    description: schema.description ?? '',
    fallback: schema.default as string | number | boolean,
  }))
}

/**
 * Flags win over the environment, which wins over defaults. Booleans are `1`/`0`, `true`/`false`, `yes`/`no`.
 * @throws ConfigError
 */
export function readConfig(
  env: Record<string, string | undefined>,
  flags: Record<string, string | undefined> = {},
): Config {
  const given: Record<string, unknown> = {}
  for (const { name, env: variable, flag, fallback } of settings()) {
    const source = flag !== undefined && flags[flag] !== undefined ? `--${flag}` : variable
    const text = (flag !== undefined ? flags[flag] : undefined) ?? env[variable]
    given[name] = text === undefined || text === '' ? fallback : parse(text, typeof fallback, source)
    const schema = Config.properties[name]
    if (!Value.Check(schema, given[name])) {
      throw new ConfigError(`${source} is "${text}", which is outside what it takes: ${schema.description}`)
    }
  }
  return Object.freeze(Value.Decode(Config, given))
}

function parse(text: string, type: string, source: string): string | number | boolean {
  if (type === 'number') {
    const value = Number(text)
    if (!Number.isFinite(value)) throw new ConfigError(`${source} is "${text}"; it takes a number`)
    return value
  }
  if (type === 'boolean') {
    if (/^(1|true|yes|on)$/i.test(text)) return true
    if (/^(0|false|no|off)$/i.test(text)) return false
    throw new ConfigError(`${source} is "${text}"; it takes 1 or 0`)
  }
  return text
}
