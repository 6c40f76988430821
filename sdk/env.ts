// Everything a program here takes from the world that is not the same twice: time, timers, randomness.
// Production passes `systemEnv`; tests and the simulator pass one they control. Nothing in `hub/` or `host/`
// reads a clock, starts a timer or draws a random number in any other way.
import { randomBytes } from 'node:crypto'

/** Stops a timer. Calling it again, or after the timer ran, does nothing. */
export type Cancel = () => void

export interface Env {
  /** Wall clock, milliseconds since 1970. For records and display only: it may jump. */
  now(): number
  /** Monotonic clock, milliseconds, fractional. For every duration, deadline and rate. */
  mono(): number
  /** Runs `work` once, `delayMs` from now. */
  timer(delayMs: number, work: () => void): Cancel
  /** Runs `work` when this turn of the event loop ends. */
  soon(work: () => void): void
  /** `length` random bytes, fit for secrets. */
  random(length: number): Uint8Array
}

const POOL_BYTES = 4_096

export const systemEnv: Env = {
  now: () => Date.now(),
  mono: () => performance.now(),
  timer(delayMs, work) {
    const timer = setTimeout(work, delayMs)
    return () => clearTimeout(timer)
  },
  soon: (work) => void setImmediate(work),
  random: pooled(),
}

/** Random bytes are drawn by the page: asking the system for a few costs as much as for many. None is given twice. */
function pooled(): (length: number) => Uint8Array {
  let pool = new Uint8Array(0)
  let at = 0
  return (length) => {
    if (length > POOL_BYTES / 8) return randomBytes(length)
    if (at + length > pool.length) {
      pool = randomBytes(POOL_BYTES)
      at = 0
    }
    at += length
    return pool.subarray(at - length, at)
  }
}

const BASE32 = '0123456789abcdefghjkmnpqrstvwxyz'

/**
 * A new identifier: `prefix_` and 26 characters of Crockford base32. The first 10 are the time in milliseconds,
 * so that identifiers sort by age; the other 16 are 80 random bits.
 */
export function newId(env: Env, prefix: string): string {
  let time = env.now()
  let head = ''
  for (let i = 0; i < 10; i++) {
    head = BASE32[time % 32] + head
    time = Math.floor(time / 32)
  }
  let tail = ''
  for (const byte of env.random(16)) tail += BASE32[byte & 31]
  return `${prefix}_${head}${tail}`
}

/** What says that something is to stop: an `AbortSignal`, or a `Halt`. */
export interface Halting {
  readonly aborted: boolean
  readonly reason: unknown
  addEventListener(type: 'abort', listener: () => void): void
  removeEventListener(type: 'abort', listener: () => void): void
}

/** An abort signal and its controller in one plain object. The collector looks at every real one at every turn of its. */
export class Halt implements Halting {
  aborted = false
  reason: unknown = undefined
  private listeners: (() => void)[] = []

  /** The first call counts. */
  abort(reason?: unknown): void {
    if (this.aborted) return
    this.aborted = true
    this.reason = reason
    for (const listener of this.listeners.splice(0)) listener()
  }

  addEventListener(_type: 'abort', listener: () => void): void {
    if (!this.listeners.includes(listener)) this.listeners.push(listener)
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    this.listeners = this.listeners.filter((other) => other !== listener)
  }
}

/** Resolves after `delayMs`, or at once when `signal` aborts. */
export function sleep(env: Env, delayMs: number, signal?: Halting): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const wake = () => {
      cancel()
      signal?.removeEventListener('abort', wake)
      resolve()
    }
    const cancel = env.timer(delayMs, wake)
    signal?.addEventListener('abort', wake)
  })
}
