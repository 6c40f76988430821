import type { Env } from '../../sdk/env.ts'
import type { HostNetwork, HostView } from '../../sdk/host-view.ts'
import type { Home } from '../config.ts'
import { askControl } from '../daemon/control.ts'
import type { Status } from '../daemon/status.ts'
import { earningsSince, type Member, viewOf } from '../hub/member.ts'
import { clockAt, dateOf, dayBegan } from '../owner/hours.ts'
import type { DataFacts } from '../owner/data.ts'
import type { HeatFacts } from '../owner/heat.ts'
import type { OwnerFacts } from '../owner/owner.ts'
import { cents, type PowerFacts } from '../owner/profit.ts'
import { httpAddress } from '../tunnel/address.ts'
import { usd } from './earnings.ts'

export type Shown = Status | { state: 'stopped' }

export async function status(env: Env, home: Home): Promise<Shown> {
  return (await askControl(env, home.controlPath, 'status')) ?? { state: 'stopped' }
}

/** What a hub says of this host; `earnedToday` in USD, null where the hub is too old to say. */
export type AtHub = HostView & { earnedToday: string | null }

/**
 * The hub's own word on this host: why it is idle, and what it earned, today by the clock of `zone`. Null where the hub
 * cannot be asked now.
 */
export async function hubsView(
  shown: Shown,
  zone: string,
  memberAt: (hub: string) => Member | null,
): Promise<AtHub | null> {
  if (shown.state === 'stopped') return null
  for (const hub of shown.hubs) {
    const member = hub.state === 'linked' ? memberAt(httpAddress(hub.address)) : null
    if (!member || hub.state !== 'linked') continue
    const [view, today] = await Promise.all([
      viewOf(member, hub.host).catch(() => null),
      earningsSince(member, shown.machine, dayBegan(member.env.now(), zone)).catch(() => null),
    ])
    return view && { ...view, earnedToday: today?.earned ?? null }
  }
  return null
}

export function describeView(view: AtHub): [fact: string, value: string][] {
  const { state, idle, network, requests, earned, earnedToday } = view
  return [
    ['at the hub', idle === null ? state : `${state}: ${idle}`],
    ...(network ? [['network', describeNetwork(network)] as [string, string]] : []),
    ...(network && network.words !== '' && network.words !== idle ? [['', network.words] as [string, string]] : []),
    ...(earnedToday === null ? [] : [['today', `${usd(earnedToday)} earned`] as [string, string]]),
    ['24 hours', `${requests} requests, ${usd(earned)} earned`],
  ]
}

/** What it is, and what is asked of it. */
function describeNetwork({ state, downMbits, upMbits, roundTripMs, linkLosses, least }: HostNetwork): string {
  const known = (value: number | null) => value ?? '?'
  const is = `${known(downMbits)} Mbit/s down, ${known(upMbits)} up, ${known(roundTripMs)} ms, ${linkLosses} lost in an hour`
  const asked = `asked: ${least.downMbits} down, ${least.upMbits} up, at most ${least.roundTripMs} ms, fewer than ${least.linkLosses} lost`
  return `${state}: ${is} (${asked})`
}

/** One fact per line: what it is, and how it stands. */
export function describe(shown: Shown): [fact: string, value: string][] {
  if (shown.state === 'stopped') return [['state', 'stopped']]
  return [
    ['state', shown.simulated ? `${shown.state} (simulated GPU)` : shown.state],
    ...(shown.starting ? [['engine', shown.starting] as [string, string]] : []),
    ...(shown.why ? [['because', shown.why] as [string, string]] : []),
    ...describeOwner(shown.owner),
    ...shown.hubs.map((hub): [string, string] => ['hub', describeHub(hub)]),
    ...shown.serving.map((serving): [string, string] => ['model', describeServing(serving)]),
    ['requests', String(shown.requests)],
    ...(shown.gpus.length > 0
      ? shown.gpus.map((gpu): [string, string] => ['GPU', `${gpu.name}, ${(gpu.memoryBytes / 2 ** 30).toFixed(1)} GiB`])
      : [['GPU', 'none found'] as [string, string]]),
    ['uptime', duration(shown.uptimeSeconds)],
    ['process', String(shown.pid)],
  ]
}

function describeOwner({ schedule, idle, power, heat, cap, data }: Status['owner']): [fact: string, value: string][] {
  return [
    ...(schedule ? [['schedule', describeSchedule(schedule)] as [string, string]] : []),
    ...(idle ? [['idle mode', describeIdle(idle)] as [string, string]] : []),
    ...(power ? [['power', describePower(power)] as [string, string]] : []),
    ...describeLimits({ heat, cap, data }),
  ]
}

export function describeSchedule({ text, zone, open, until }: NonNullable<Status['owner']['schedule']>): string {
  const then = until === null ? '' : ` until ${clockAt(Date.parse(until), zone)}`
  return `${open ? 'open' : 'closed'}${then}: ${text} (${zone})`
}

export function describeIdle({ quietMinutes, session }: NonNullable<Status['owner']['idle']>): string {
  const what = session ? 'used the card, or been at the screen,' : 'used the card'
  return `on: works once nobody has ${what} for ${quietMinutes} min`
}

export function describeLimits({ heat, cap, data }: Pick<OwnerFacts, 'heat' | 'cap' | 'data'>): [string, string][] {
  return [
    ...(heat ? [['temperature', describeHeat(heat)] as [string, string]] : []),
    ...(cap
      ? [
          ['power limit', `${cap.watts} W${cap.trouble === null ? '' : `, not in force: ${cap.trouble}`}`] as [
            string,
            string,
          ],
        ]
      : []),
    ...(data ? [['data', describeData(data)] as [string, string]] : []),
  ]
}

function describeHeat({ limitCelsius, celsius, share }: HeatFacts): string {
  const now = celsius === null ? '' : `${celsius} °C, `
  const less = share === 1 ? '' : share === 0 ? '; it rests' : `; takes ${share * 100} % of what it can`
  return `${now}at most ${limitCelsius} °C${less}`
}

function describeData({ usedGigabytes, gigabytes, until, zone }: DataFacts): string {
  const percent = Math.floor((100 * usedGigabytes) / gigabytes)
  return `${usedGigabytes.toFixed(1)} of ${gigabytes} GB this month (${percent} %), anew on ${dateOf(Date.parse(until), zone)}`
}

export function describePower({ kilowattHourUsd, watts, costUsd, full }: PowerFacts): string {
  const now = watts === null || costUsd === null ? '' : `, ${Math.round(watts)} W cost ${cents(costUsd)} an hour now`
  const work = full
    ? `, an hour of work earns ${cents(full.earns)} and costs ${cents(full.costs)}`
    : ', what an hour of work would earn is not known yet'
  return `$${kilowattHourUsd} a kWh${now}${work}`
}

function describeHub(hub: Status['hubs'][number]): string {
  switch (hub.state) {
    case 'linked':
      return `${hub.address}  linked as ${hub.host} for ${duration(hub.linkedSeconds)}`
    case 'dialing':
      return `${hub.address}  dialing`
    case 'waiting':
      return `${hub.address}  trying again: ${hub.why}`
    case 'ended':
      return `${hub.address}  ${hub.why}`
  }
}

function describeServing({ model, engine, contextTokens, slots }: Status['serving'][number]): string {
  const by = engine.version ? `${engine.name} ${engine.version}` : engine.name
  return `${model}  ${by}, ${contextTokens} tokens, ${slots} requests at a time`
}

/** `93784` → `1 d 2 h`; two units are enough. */
export function duration(seconds: number): string {
  const units: [string, number][] = [
    ['d', Math.floor(seconds / 86_400)],
    ['h', Math.floor(seconds / 3_600) % 24],
    ['min', Math.floor(seconds / 60) % 60],
    ['s', Math.floor(seconds) % 60],
  ]
  const first = units.findIndex(([, amount]) => amount > 0)
  if (first === -1) return '0 s'
  return units
    .slice(first, first + 2)
    .filter(([, amount]) => amount > 0)
    .map(([unit, amount]) => `${amount} ${unit}`)
    .join(' ')
}
