// What this machine has sent and received, by the hour, and how much of it a month may be. Counted in memory, kept in a
// file that several programs write (the agent, a download), so that a kill loses the last seconds at most.
import { Database } from 'bun:sqlite'
import { join } from 'node:path'
import type { Cancel, Env } from '../../sdk/env.ts'
import { HostError, reason } from '../errors.ts'
import type { Log } from '../log.ts'
import { dateOf, monthBegan } from './hours.ts'
import type { Wish } from './rest.ts'
import type { Wishes } from './wishes.ts'

export interface DataFacts {
  gigabytes: number
  zone: string
  usedGigabytes: number
  /** When the next month begins, ISO 8601. */
  until: string
}

type Cap = NonNullable<Wishes['data']>

const HOUR_MS = 60 * 60_000
const KEPT_HOURS = 70 * 24
const WRITE_MS = 5_000
const WRITE_BYTES = 16 * 2 ** 20
const GB = 1e9
/** From here on its owner is told. */
const NEARLY = 0.8

export class DataMeter {
  private waiting = 0
  private stopWaiting: Cancel | undefined
  /** What the file said last, for the month that began then. */
  private known: { began: number; bytes: number; at: number } | undefined
  private readonly file: Database
  /** Why only this program's own bytes are counted, and not kept; null: they are. */
  readonly trouble: string | null

  constructor(
    private readonly env: Env,
    folder: string,
  ) {
    const path = join(folder, 'data.db')
    const opened = attempt(() => open(path))
    this.trouble = opened instanceof Error ? `${path} cannot be used: ${reason(opened)}` : null
    // A full disk or a damaged file is no reason not to work.
    this.file = opened instanceof Error ? open(':memory:') : opened
  }

  count(bytes: number): void {
    this.waiting += bytes
    if (this.waiting >= WRITE_BYTES) return this.write()
    this.stopWaiting ??= this.env.timer(WRITE_MS, () => this.write())
  }

  /** Bytes since the month began by the clock of `zone`. */
  used(zone: string): number {
    const began = monthBegan(this.env.now(), zone)
    const { known, env } = this
    if (!known || known.began !== began || env.mono() - known.at >= WRITE_MS) this.known = this.read(began)
    return (this.known?.bytes ?? 0) + this.waiting
  }

  close(): void {
    this.write()
    this.file.close()
  }

  private read(began: number): { began: number; bytes: number; at: number } {
    const query = this.file.query<{ bytes: number | null }, [number]>(
      'SELECT sum(bytes) AS bytes FROM hours WHERE hour >= ?',
    )
    return { began, bytes: query.get(Math.floor(began / HOUR_MS))?.bytes ?? 0, at: this.env.mono() }
  }

  /** What finds no room on the disk now waits for the next time. */
  private write(): void {
    this.stopWaiting?.()
    this.stopWaiting = undefined
    const { waiting } = this
    if (waiting === 0) return
    const hour = Math.floor(this.env.now() / HOUR_MS)
    try {
      this.file.run(
        'INSERT INTO hours (hour, bytes) VALUES (?, ?) ON CONFLICT (hour) DO UPDATE SET bytes = bytes + excluded.bytes',
        [hour, waiting],
      )
      this.waiting = 0
      this.known = undefined
      this.file.run('DELETE FROM hours WHERE hour < ?', [hour - KEPT_HOURS])
    } catch {
      // Counted all the same, as long as this program lives.
    }
  }
}

function open(path: string): Database {
  const file = new Database(path)
  try {
    file.run('PRAGMA busy_timeout = 1000')
    file.run('PRAGMA journal_mode = WAL')
    file.run('CREATE TABLE IF NOT EXISTS hours (hour INTEGER PRIMARY KEY, bytes INTEGER NOT NULL)')
    return file
  } catch (error) {
    file.close()
    throw error
  }
}

function attempt<T>(work: () => T): T | Error {
  try {
    return work()
  } catch (error) {
    return error as Error
  }
}

/** A month's data and what is left of it. */
export class DataCap {
  /** The month its owner was told of. */
  private told: number | undefined

  constructor(
    private readonly env: Env,
    private readonly log: Log,
    private readonly meter: Pick<DataMeter, 'used'>,
  ) {}

  wish(cap: Cap | null): Wish | null {
    if (cap === null) return null
    const used = this.meter.used(cap.zone)
    if (used >= NEARLY * cap.gigabytes * GB) this.tell(cap, used)
    if (used < cap.gigabytes * GB) return null
    return { who: 'data', why: usedUp(cap, this.env.now()) }
  }

  facts(cap: Cap | null): DataFacts | null {
    if (cap === null) return null
    const until = new Date(monthBegan(this.env.now(), cap.zone, 1)).toISOString()
    return { ...cap, usedGigabytes: this.meter.used(cap.zone) / GB, until }
  }

  private tell(cap: Cap, used: number): void {
    const month = monthBegan(this.env.now(), cap.zone)
    if (this.told === month) return
    this.told = month
    this.log.warn('most of this month’s data is used', { usedGigabytes: Math.round(used / GB), of: cap.gigabytes })
  }
}

function usedUp({ gigabytes, zone }: Cap, now: number): string {
  const next = monthBegan(now, zone, 1)
  return `the ${gigabytes} GB of this month are used up; it works again on ${dateOf(next, zone)}`
}

/** A download that stops where the month's data is used up, and goes on in the next. @throws HostError */
export function countedDownload(meter: DataMeter, cap: () => Cap | null, now: () => number): (bytes: number) => void {
  return (bytes) => {
    meter.count(bytes)
    const limit = cap()
    if (limit !== null && meter.used(limit.zone) >= limit.gigabytes * GB)
      throw new HostError(
        `The download stops here: ${usedUp(limit, now())}. It goes on where it was; gpuhost limits --data allows more.`,
      )
  }
}
