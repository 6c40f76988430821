// Every setting of the hub: named, defaulted, explained. Read once, in bin; handed down as a value.
import { type Static, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'

/** `env` is the variable a setting is read from; `flag`, where there is one, wins over it. */
const setting = (env: string, flag?: string) => ({ env, flag })

/** A number of things that are counted; 0 means that nobody counts them. */
const limit = (description: string, env: string, fallback = 0) =>
  Type.Integer({ default: fallback, minimum: 0, maximum: 1_000_000_000, description, ...setting(env) })

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
  smtpUrl: Type.String({
    default: '',
    description: 'Mail server, smtp://USER:PASSWORD@HOST:PORT; empty: letters go to the log and the admin pages.',
    ...setting('SMTP_URL'),
  }),
  mailFrom: Type.String({
    default: '',
    description: 'Sender of letters; empty: gpuhub <no-reply@HOST> of the public URL.',
    ...setting('GPUHUB_MAIL_FROM'),
  }),
  githubId: Type.String({
    default: '',
    description: 'Client id of a GitHub OAuth app; with it people may sign in with GitHub.',
    ...setting('GPUHUB_GITHUB_ID'),
  }),
  githubSecret: Type.String({ default: '', description: 'Its client secret.', ...setting('GPUHUB_GITHUB_SECRET') }),
  githubUrl: Type.String({
    default: 'https://github.com',
    description: 'GitHub, or a GitHub Enterprise Server.',
    ...setting('GPUHUB_GITHUB_URL'),
  }),
  googleId: Type.String({
    default: '',
    description: 'Client id of a Google OAuth client; with it people may sign in with Google.',
    ...setting('GPUHUB_GOOGLE_ID'),
  }),
  googleSecret: Type.String({ default: '', description: 'Its client secret.', ...setting('GPUHUB_GOOGLE_SECRET') }),
  googleUrl: Type.String({
    default: 'https://accounts.google.com',
    description: 'The OpenID issuer that stands for Google.',
    ...setting('GPUHUB_GOOGLE_URL'),
  }),
  releases: Type.String({
    default: '',
    description:
      'Signed releases of gpuhost for hosts to install: a folder, or an https:// address to send them to; empty: releases in the data folder.',
    ...setting('GPUHUB_RELEASES'),
  }),
  hfEndpoint: Type.String({
    default: 'https://huggingface.co',
    pattern: '^https?://[^\\s/]+$',
    description: 'Where models are imported from, without a slash at the end.',
    ...setting('HF_ENDPOINT'),
  }),
  hfToken: Type.String({
    default: '',
    description:
      'Of a HuggingFace account, to read gated models when they are imported; hosts download with their own.',
    ...setting('HF_TOKEN'),
  }),
  allowSimulated: Type.Boolean({
    default: false,
    description: 'Accept hosts that say openly that their GPU is simulated.',
    ...setting('GPUHUB_ALLOW_SIMULATED'),
  }),
  alertPrivate: Type.Boolean({
    default: false,
    description: 'Let the alert webhook reach addresses of private networks, too.',
    ...setting('GPUHUB_ALERT_PRIVATE'),
  }),
  development: Type.Boolean({
    default: false,
    description: 'Show /dev/gallery: every page in every state, for whoever works on them.',
    ...setting('GPUHUB_DEVELOPMENT'),
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
    description: 'Hosts that may fail one request before its client is told; those that only vanish do not count.',
    ...setting('GPUHUB_ATTEMPTS'),
  }),
  keyRpm: limit(
    'Requests a minute one API key may begin, unless the key says otherwise; 0: no limit.',
    'GPUHUB_KEY_RPM',
  ),
  keyTpm: limit('Tokens a minute one API key may use, unless the key says otherwise; 0: no limit.', 'GPUHUB_KEY_TPM'),
  keyConcurrency: limit(
    'Requests one API key may have in progress, unless the key says otherwise; 0: no limit.',
    'GPUHUB_KEY_CONCURRENCY',
  ),
  accountRpm: limit(
    'Requests a minute one account may begin, unless it says otherwise; 0: no limit.',
    'GPUHUB_ACCOUNT_RPM',
  ),
  accountTpm: limit(
    'Tokens a minute one account may use, unless it says otherwise; 0: no limit.',
    'GPUHUB_ACCOUNT_TPM',
  ),
  accountConcurrency: limit(
    'Requests one account may have in progress, unless it says otherwise; 0: no limit.',
    'GPUHUB_ACCOUNT_CONCURRENCY',
  ),
  platformRpm: limit(
    'Requests a minute one account may send to the platform API under /api/v1; 0: no limit.',
    'GPUHUB_PLATFORM_RPM',
    600,
  ),
  strangerRpm: limit(
    'Requests a minute that one address may send without an API key; 0: no limit.',
    'GPUHUB_STRANGER_RPM',
    60,
  ),
  wrongKeysPerMinute: limit(
    'Wrong API keys a minute from one address before it is told to wait; 0: no limit.',
    'GPUHUB_WRONG_KEYS_PER_MINUTE',
    10,
  ),
  allowedHosts: Type.String({
    default: '',
    description: 'Names clients may reach this hub by (the Host header), with commas; empty: any.',
    ...setting('GPUHUB_ALLOWED_HOSTS'),
  }),
  loadFactor: Type.Number({
    default: 2,
    minimum: 1,
    maximum: 100,
    description:
      'Requests that may run, for each that the hosts of a model work on at a time; beyond 1 answers come slower.',
    ...setting('GPUHUB_LOAD_FACTOR'),
  }),
  queueFactor: Type.Number({
    default: 0.5,
    minimum: 0,
    maximum: 100,
    description:
      'Requests that may wait for a place, for each that the hosts of a model work on at a time; at least 8.',
    ...setting('GPUHUB_QUEUE_FACTOR'),
  }),
  queueSeconds: Type.Integer({
    default: 15,
    minimum: 1,
    maximum: 600,
    description: 'Longest wait for a place.',
    ...setting('GPUHUB_QUEUE_SECONDS'),
  }),
  stallSeconds: Type.Integer({
    default: 60,
    minimum: 1,
    maximum: 240,
    description: 'A client that reads nothing of its answer for so long is cut off.',
    ...setting('GPUHUB_STALL_SECONDS'),
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
