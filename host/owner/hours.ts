// The hours of a week in which a card may work, by its owner's clock: `mon-fri 19:00-08:00, sat-sun 00:00-24:00`.
import { HostError, printable } from '../errors.ts'

export interface Hours {
  /** As the owner wrote it. */
  text: string
  /** IANA name, e.g. `Europe/Berlin`. */
  zone: string
}

/** From and to in minutes after midnight; a window whose end is not after its start ends on the next day. */
interface Window {
  /** 0 is Sunday. */
  day: number
  from: number
  to: number
}

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const DAY_MINUTES = 1_440
const DAY_MS = 86_400_000
const MOST_CHARACTERS = 500
const EXAMPLE = 'Write it like "mon-fri 19:00-08:00, sat-sun 00:00-24:00".'

/** @throws HostError naming the word at fault */
export function checkHours({ text, zone }: Hours): void {
  windowsOf(text)
  checkZone(zone)
}

/** @throws HostError */
export function checkZone(zone: string): void {
  try {
    formatter(zone)
  } catch {
    throw new HostError(`"${clip(zone)}" is not a time zone. Write it like Europe/Berlin.`, 2)
  }
}

/** This system's own zone. */
export function systemZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone
}

export interface Standing {
  /** Whether the card may work now. */
  open: boolean
  /** When that changes, milliseconds since 1970; null: never. */
  until: number | null
}

/**
 * How things stand at `now` (milliseconds since 1970). Clocks that are set forward skip some times of the day: what would
 * begin or end then does so at the jump. Of times that come twice the first counts.
 * @throws HostError as `checkHours`
 */
export function standingAt({ text, zone }: Hours, now: number): Standing {
  const spans = spansAround(windowsOf(text), zone, now)
  const current = spans.find(({ from, to }) => from <= now && now < to)
  // Of a week that is open throughout no end is in sight.
  if (current) return { open: true, until: current.to - now > 8 * DAY_MS ? null : current.to }
  return { open: false, until: spans.find(({ from }) => from > now)?.from ?? null }
}

/** `Fri 19:00`, by the clock of `zone`. */
export function clockAt(moment: number, zone: string): string {
  const { weekday, hour, minute } = partsOf(moment, zone)
  return `${weekday} ${hour}:${minute}`
}

/** `Tue 1 Dec`, by the clock of `zone`. */
export function dateOf(moment: number, zone: string): string {
  const format = new Intl.DateTimeFormat('en-GB', { timeZone: zone, weekday: 'short', day: 'numeric', month: 'short' })
  return format.format(moment).replace(',', '')
}

/** When the day began that is `daysAgo` days before today by the clock of `zone`; milliseconds since 1970. */
export function dayBegan(now: number, zone: string, daysAgo = 0): number {
  const { year, month, day } = partsOf(now, zone)
  return momentOf(Date.UTC(Number(year), Number(month) - 1, Number(day) - daysAgo), zone)
}

/** When the month began that is `ahead` months after this one by the clock of `zone`; milliseconds since 1970. */
export function monthBegan(now: number, zone: string, ahead = 0): number {
  const { year, month } = partsOf(now, zone)
  return momentOf(Date.UTC(Number(year), Number(month) - 1 + ahead, 1), zone)
}

function windowsOf(text: string): Window[] {
  if (text.length > MOST_CHARACTERS) throw new HostError(`A schedule has at most ${MOST_CHARACTERS} characters.`, 2)
  return text.toLowerCase().split(',').flatMap(windowsOfPart)
}

/** `mon wed 9:00-12:00 14:00-18:00`; without a day it is every day. */
function windowsOfPart(part: string): Window[] {
  const words = part.split(/\s+/).filter((word) => word !== '')
  if (words.length === 0) throw new HostError(`There is nothing between two commas, or nothing at all. ${EXAMPLE}`, 2)
  const times = words.findIndex((word) => /^\d/.test(word))
  if (times === -1) throw new HostError(`After "${clip(words.join(' '))}" the hours are missing. ${EXAMPLE}`, 2)
  const days = times === 0 ? DAYS.map((_, day) => day) : words.slice(0, times).flatMap(daysOf)
  return words.slice(times).flatMap((word) => {
    const { from, to } = timesOf(word)
    return days.map((day) => ({ day, from, to }))
  })
}

function daysOf(word: string): number[] {
  if (word === 'daily') return DAYS.map((_, day) => day)
  const [first = '', last = first, ...more] = word.split('-')
  const [from, to] = [DAYS.indexOf(first), DAYS.indexOf(last)]
  if (from === -1 || to === -1 || more.length > 0)
    throw new HostError(`"${clip(word)}" is no day: mon, tue, wed, thu, fri, sat, sun, two with a dash, or daily.`, 2)
  return Array.from({ length: ((to - from + 7) % 7) + 1 }, (_, at) => (from + at) % 7)
}

function timesOf(word: string): { from: number; to: number } {
  const [, hour, minute, toHour, toMinute] = /^(\d{1,2}):(\d\d)-(\d{1,2}):(\d\d)$/.exec(word) ?? []
  const from = Number(hour) * 60 + Number(minute)
  const to = Number(toHour) * 60 + Number(toMinute)
  const right = from < DAY_MINUTES && to <= DAY_MINUTES && Number(minute) < 60 && Number(toMinute) < 60
  if (!right) throw new HostError(`"${clip(word)}" is no span of hours. Write it like 19:00-08:00.`, 2)
  if (from === to) throw new HostError(`"${clip(word)}" is no time at all; a whole day is 00:00-24:00.`, 2)
  return { from, to }
}

interface Span {
  from: number
  to: number
}

/** What is open from two days before `now` to two weeks after, in order; what touches is one. */
function spansAround(windows: readonly Window[], zone: string, now: number): Span[] {
  const { year, month, day } = partsOf(now, zone)
  const today = Date.UTC(Number(year), Number(month) - 1, Number(day))
  const spans: Span[] = []
  for (let ahead = -2; ahead <= 14; ahead++) {
    const midnight = today + ahead * DAY_MS
    for (const window of windows.filter((each) => each.day === new Date(midnight).getUTCDay())) {
      const to = window.to <= window.from ? window.to + DAY_MINUTES : window.to
      const moment = (minutes: number) => momentOf(midnight + minutes * 60_000, zone)
      spans.push({ from: moment(window.from), to: moment(to) })
    }
  }
  const merged: Span[] = []
  for (const span of spans.filter(({ from, to }) => from < to).toSorted((a, b) => a.from - b.from)) {
    const last = merged.at(-1)
    if (last && span.from <= last.to) last.to = Math.max(last.to, span.to)
    else merged.push({ ...span })
  }
  return merged
}

/** When clocks in `zone` show `wall`, which is written as if it were UTC. */
function momentOf(wall: number, zone: string): number {
  const offsets = [offsetAt(wall - DAY_MS, zone), offsetAt(wall + DAY_MS, zone)]
  const moments = offsets.map((offset) => wall - offset).toSorted((a, b) => a - b)
  const real = moments.find((moment) => moment + offsetAt(moment, zone) === wall)
  if (real !== undefined) return real
  // It is skipped: the jump is somewhere between.
  let [before, after] = [moments[0] ?? wall, moments[1] ?? wall]
  const offset = offsetAt(before, zone)
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2)
    if (offsetAt(middle, zone) === offset) before = middle
    else after = middle
  }
  return after
}

/** Milliseconds that clocks in `zone` are ahead of UTC. */
function offsetAt(moment: number, zone: string): number {
  const { year, month, day, hour, minute, second } = partsOf(moment, zone)
  const wall = Date.UTC(...([year, Number(month) - 1, day, hour, minute, second].map(Number) as [number, number]))
  return wall - Math.floor(moment / 1_000) * 1_000
}

function partsOf(moment: number, zone: string): Record<string, string> {
  return Object.fromEntries(
    formatter(zone)
      .formatToParts(moment)
      .map(({ type, value }) => [type, value]),
  )
}

const formatters = new Map<string, Intl.DateTimeFormat>()

/** @throws RangeError for a zone that is not known */
function formatter(zone: string): Intl.DateTimeFormat {
  const made = formatters.get(zone)
  if (made) return made
  const two = '2-digit'
  const fresh = new Intl.DateTimeFormat('en-US', {
    ...{ timeZone: zone, hourCycle: 'h23', weekday: 'short' },
    ...{ year: 'numeric', month: two, day: two, hour: two, minute: two, second: two },
  })
  formatters.set(zone, fresh)
  return fresh
}

const clip = (text: string) => printable(text.slice(0, 60))
