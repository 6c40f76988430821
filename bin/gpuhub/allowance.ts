// The flags that limit a key or an account, and how a person reads the limits back.
import type { Allowance, KeyAllowance } from '../../hub/identity/allowances.ts'
import { keyModelsFrom } from '../../hub/identity/key-models.ts'
import { formatUsd, parseUsd } from '../../sdk/money.ts'
import { Failure } from '../failure.ts'
import { moment } from './moment.ts'

const count = (help: string) =>
  ({ type: 'string', value: 'N', help: `${help}; "none", or "default" as the hub says.` }) as const

export const allowanceOptions = {
  rpm: count('Requests a minute'),
  tpm: count('Tokens a minute'),
  concurrency: count('Requests in progress at a time'),
}

export const keyAllowanceOptions = {
  ...allowanceOptions,
  budget: { type: 'string', value: 'USD', help: 'The most it may ever spend, e.g. 5.00; or "none".' },
  model: {
    type: 'list',
    value: 'MODEL',
    help: 'What it may ask for: Qwen/Qwen3-8B, or Qwen/Qwen3-8B:fp8; may be repeated; or "all".',
  },
  expires: { type: 'string', value: 'WHEN', help: 'Until when it works: 2026-12-31, 30d, 12h; or "never".' },
} as const

type Given<Options> = { [Name in Exclude<keyof Options, 'model'>]?: string | undefined }

/** What of it was given. @throws Failure */
export function allowanceFrom({ rpm, tpm, concurrency }: Given<typeof allowanceOptions>): Partial<Allowance> {
  return {
    ...(rpm === undefined ? {} : { requestsPerMinute: countFrom('rpm', rpm) }),
    ...(tpm === undefined ? {} : { tokensPerMinute: countFrom('tpm', tpm) }),
    ...(concurrency === undefined ? {} : { concurrency: countFrom('concurrency', concurrency) }),
  }
}

/** Names the catalog has to know: read it first. Nothing given changes nothing. @throws HubError, Failure */
export function keyModels(names: readonly string[]): Pick<KeyAllowance, 'models'> | Record<string, never> {
  if (names.length === 0) return {}
  if (!names.includes('all')) return { models: keyModelsFrom(names) }
  if (names.length === 1) return { models: null }
  throw new Failure('--model all goes with no other model.', 2)
}

/** All but the models. @throws Failure */
export function keyAllowanceFrom(
  { budget, expires, ...counts }: Given<typeof keyAllowanceOptions>,
  now: number,
): Partial<KeyAllowance> {
  return {
    ...allowanceFrom(counts),
    ...(budget === undefined ? {} : { budget: budget === 'none' ? null : amountFrom(budget) }),
    ...(expires === undefined ? {} : { expiresAt: expires === 'never' ? null : instantFrom(expires, now) }),
  }
}

/** In a few words; empty where nothing is said. */
export function allowanceInWords(allowance: Partial<KeyAllowance & { spent: bigint }>): string {
  const { requestsPerMinute, tokensPerMinute, concurrency, budget, spent, expiresAt, models } = allowance
  const counted = (value: number | null | undefined, unit: string) =>
    value === null || value === undefined ? [] : [value === 0 ? `no limit of ${unit}` : `${value} ${unit}`]
  return [
    ...counted(requestsPerMinute, 'requests/min'),
    ...counted(tokensPerMinute, 'tokens/min'),
    ...counted(concurrency, 'at a time'),
    ...(typeof budget === 'bigint' ? [`${formatUsd(spent ?? 0n)} of ${formatUsd(budget)}`] : []),
    ...(typeof expiresAt === 'number' ? [`until ${moment(expiresAt)}`] : []),
    ...(models ? [`only ${models.join(' and ')}`] : []),
  ].join(', ')
}

/** The same for programs. */
export function allowanceJson(allowance: Partial<KeyAllowance & { spent: bigint }> | null) {
  const { budget = null, expiresAt = null } = allowance ?? {}
  return {
    requestsPerMinute: allowance?.requestsPerMinute ?? null,
    tokensPerMinute: allowance?.tokensPerMinute ?? null,
    concurrency: allowance?.concurrency ?? null,
    budgetNanos: budget === null ? null : String(budget),
    spentNanos: budget === null ? null : String(allowance?.spent ?? 0n),
    expiresAt: expiresAt === null ? null : moment(expiresAt),
    models: allowance?.models ?? null,
  }
}

function countFrom(name: string, text: string): number | null {
  if (text === 'default') return null
  if (text === 'none') return 0
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new Failure(`--${name} is a whole number above 0, "none" or "default", not "${text}".`, 2)
}

function amountFrom(text: string): bigint {
  try {
    const amount = parseUsd(text)
    if (amount > 0n) return amount
  } catch {
    // Said below, with what it takes.
  }
  throw new Failure(`--budget is an amount in USD such as 5.00, or "none", not "${text}".`, 2)
}

const UNITS = { m: 60_000, h: 3_600_000, d: 86_400_000 }

function instantFrom(text: string, now: number): number {
  const [, length, unit] = /^(\d{1,5})([mhd])$/.exec(text) ?? []
  const at = length ? now + Number(length) * UNITS[unit as keyof typeof UNITS] : Date.parse(text)
  if (at > now) return at
  throw new Failure(`--expires is a time to come, such as 2026-12-31, 30d or 12h, or "never", not "${text}".`, 2)
}
