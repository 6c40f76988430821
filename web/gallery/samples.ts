// People, machines and numbers for the gallery. Names are as strangers might choose them.
import { everyOffer, findOffer } from '../../hub/catalog/find.ts'
import type { ToldFailure } from '../../hub/fleet/failures.ts'
import type { ListedHost, ListedNetwork } from '../../hub/fleet/list.ts'
import type { HostWorth } from '../../hub/fleet/worth.ts'
import { type NetworkFault, networkWords } from '../../hub/fleet/network.ts'
import { leastOf } from '../../hub/fleet/network-round.ts'
import { defaults } from '../../hub/policy/settings.ts'
import type { User } from '../../hub/identity/users.ts'
import type { RequestRow } from '../../hub/ledger/receipts.ts'
import { BEGUN_WITHIN_MS } from '../../hub/ledger/roll-up.ts'
import type { Traffic } from '../../hub/ledger/traffic.ts'
import type { Check } from '../../hub/verification/host-checks.ts'
import type { Row } from '../client/requests.tsx'
import type { Machine } from '../host/machines.tsx'
import { type Period, readPeriod } from '../parts/period.tsx'
import type { Shelf } from '../shop.ts'

export const NOW = Date.UTC(2026, 10, 25, 22, 30)
export const HOUR_MS = 60 * 60_000
export const DAY_MS = 24 * HOUR_MS
export const HOSTILE = '<img src=x onerror=alert(1)> & "quotes"'
export const LONG = 'an-app-with-a-name-that-somebody-made-as-long-as-they-could'
export const URL_OF_HUB = 'https://hub.example.com'
export const MODEL = 'Qwen/Qwen3-8B'
export const VARIANT = findOffer(MODEL)?.id ?? MODEL

export const period: Period = readPeriod(new URLSearchParams(), NOW)

export function traffic(group: string, scale = 1): Traffic {
  return {
    ...{ group, completed: 1_234 * scale, cancelled: 12 * scale, failed: 3, lost: 1, moved: 17 * scale },
    ...{ promptTokens: 3_100_000 * scale, completionTokens: 870_000 * scale },
    ...{ cost: 2_345_678_901n * BigInt(scale), hostShare: 1_993_827_066n * BigInt(scale), tokensPerSecond: 87.4 },
    begun: 1_240 * scale,
    within: BEGUN_WITHIN_MS.map((ms) => Math.min(1_240, 4 * ms) * scale),
  }
}

export function user(changes: Partial<User> = {}): User {
  return {
    ...{ id: 'usr_01m8a73r7egsj7z31skn308etv', email: 'ada@example.com', name: 'Ada', country: 'US' },
    ...{ roles: ['client', 'host'], hat: 'client', terms: null, muted: null, createdAt: NOW - 40 * DAY_MS },
    ...{ suspendedAt: null, suspendedFor: null, erasedAt: null, ...changes },
  }
}

export function host(changes: Partial<ListedHost> = {}): ListedHost {
  return {
    ...{ id: 'host_01m8a4461z9jpqfjm4j8thjk35', owner: 'owner@example.com', name: 'cellar', state: 'ready' },
    ...{ models: [VARIANT], tripped: [], failures: { client: 0, hub: 0, network: 2, host: 0, engine: 1 } },
    ...{
      notices: [],
      left: false,
      rests: null,
      hub: 'hub_1',
      since: NOW - 3 * HOUR_MS,
      seenAt: NOW - 60_000,
      quarantine: null,
    },
    ...{ stage: 'vetted', checkedAt: NOW - 9 * DAY_MS, vetted: true },
    network: {
      ...{ state: 'ok', since: NOW - DAY_MS, roundTripMs: 34, linkLosses: 0, downMbits: 214.5, upMbits: 48.1 },
      ...{ faults: [], words: '' },
    },
    ...{ hardware: '2 × NVIDIA GeForce RTX 4090, 24 GiB', simulated: false, ...changes },
  }
}

const troubled = host({
  ...{ id: 'host_01m8a444pxqe57rb0w9mcm62cw', name: HOSTILE, owner: 'somebody.with.a.long.name@mail.example.com' },
  ...{
    state: 'quarantined',
    stage: 'checked',
    vetted: false,
    quarantine: `its answers read like ${HOSTILE}`,
    simulated: true,
  },
  notices: [{ kind: 'cloned', message: 'Two machines use this machine’s identity. Run gpuhost login.', at: NOW }],
})

export const checks: Check[] = [
  { variant: VARIANT, passed: true, finding: 'It answered as it should, 71.4 tokens a second.', at: NOW - DAY_MS },
  { variant: HOSTILE, passed: false, finding: `It could not answer a plain question: ${HOSTILE}`, at: NOW },
]

export const LEAST = leastOf(defaults)

const faults: NetworkFault[] = [
  { what: 'upload', actual: 3.1, required: 5 },
  { what: 'link losses', actual: 7, required: 3 },
]
export const slow: ListedNetwork = {
  ...{ state: 'below', since: NOW - HOUR_MS, roundTripMs: null, linkLosses: 7, downMbits: null, upMbits: 3.1 },
  ...{ faults, words: networkWords('below', faults) },
}

export const hosts: ListedHost[] = [
  host(),
  troubled,
  host({
    id: 'host_3',
    name: LONG,
    state: 'tripped',
    tripped: [VARIANT],
    stage: 'new',
    checkedAt: null,
    vetted: false,
  }),
  host({ id: 'host_5', name: 'far-away', state: 'tripped', network: slow }),
  host({ id: 'host_4', name: 'attic', state: 'gone', models: [] }),
]

export const machines: Machine[] = hosts.map((each, i) => ({
  host: each,
  earned: 1_230_000_000n * BigInt(i + 1),
  requests: 431 * i,
  tokensPerSecond: i === 3 ? null : 92 - i,
  idle: i === 0 ? null : 'Nobody asked for its models in the last hour.',
}))

export const worth: HostWorth = {
  ...{ id: host().id, name: host().name, team: true, rent: 350_000_000n },
  spans: [1n, 7n, 30n].map((days) => ({ earned: 9_100_000_000n * days, rent: 8_400_000_000n * days })),
}
export const worths: HostWorth[] = [
  worth,
  {
    ...{ id: 'host_2', name: HOSTILE, team: false, rent: 1_200_000_000n },
    spans: [1n, 7n, 30n].map((days) => ({ earned: 131_000n * days, rent: 28_800_000_000n * days })),
  },
  { ...worth, id: 'host_3', name: LONG, rent: 0n, spans: worth.spans.map((span) => ({ ...span, rent: 0n })) },
]

export const failures: ToldFailure[] = (['engine', 'network'] as const).map((whose, i) => ({
  ...{ hostId: 'host_1', variant: VARIANT, class: whose, code: 'engine_cut_off', attempt: 1, tokens: 31 * i },
  ...{ message: `The engine broke the connection off: ${HOSTILE}`, requestId: 'req_01m8a73r7egsj', at: NOW - HOUR_MS },
}))

export function request(changes: Partial<RequestRow> = {}): RequestRow {
  return {
    ...{ id: 'req_01m8a73r7egsj7z31skn308etv', userId: user().id, keyId: 'key_1', variant: VARIANT, stream: true },
    ...{ state: 'completed', at: NOW - 90_000, endedAt: NOW - 86_000, firstTokenMs: 240 },
    ...{ promptTokens: 1_530, completionTokens: 421, claimedTokens: 421, countsDiffer: false },
    ...{ promptPicos: 20_000, completionPicos: 100_000, hostId: 'host_1', attempts: 1, errorCode: null },
    ...{ cost: 72_700n, hostShare: 61_795n, fee: 10_905n, hubId: 'hub_1' },
    ...{ resumed: 0, finishReason: 'stop', delivered: true, ...changes },
  }
}

export const rows: Row[] = [
  { kind: 'running', id: 'req_now', at: NOW, variant: VARIANT },
  { kind: 'ended', key: LONG, request: request() },
  { kind: 'ended', key: HOSTILE, request: request({ id: 'req_2', attempts: 3 }) },
  { kind: 'ended', key: 'web-app', request: request({ id: 'req_3', state: 'failed', errorCode: 'no_host', cost: 0n }) },
  { kind: 'ended', key: 'web-app', request: request({ id: 'req_4', state: 'lost', variant: HOSTILE }) },
  { kind: 'ended', key: 'web-app', request: request({ id: 'req_5', state: 'cancelled' }) },
]

export function shelf(id: string, ready = 3): Shelf {
  const variants = everyOffer()
    .filter(({ model }) => model.id === id)
    .map((offer) => ({
      offer,
      price: { prompt: offer.variant.startPrice.promptPicos, completion: offer.variant.startPrice.completionPicos },
      hosts: ready,
    }))
  const model = variants[0]?.offer.model
  if (!model) throw new Error(`the catalog has no ${id}`)
  return { model, variants }
}

/** Tokens a second. */
export const speeds = new Map([[VARIANT, 87.4]])

/** One that is free, one that asks for an acknowledgement. */
export const shelves: Shelf[] = [shelf(MODEL), shelf('meta-llama/Llama-3.1-8B-Instruct', 0)]
