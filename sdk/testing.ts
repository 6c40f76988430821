// A world a test controls: time that moves by hand, timers in order, seeded randomness, and a pair of sockets in
// memory that can lag, freeze and break.
import type { Cancel, Env } from './env.ts'
import type { Socket, SocketEvents } from './wire/socket.ts'

export interface VirtualEnv extends Env {
  /** Lets `ms` pass: due timers run in order, each followed by everything it set off. */
  advance(ms: number): Promise<void>
  /** Runs what is due now (`soon`, promises) until nothing more happens; no time passes. */
  flush(): Promise<void>
  /** Moves the wall clock alone, as a correction by the system would. */
  jump(ms: number): void
  /** Timers not yet run or stopped. */
  timers(): number
}

const MOST_TURNS = 100_000

interface VirtualOptions {
  seed?: number
  /** Milliseconds since 1970 at which the clock starts; the monotonic one starts at 0. */
  now?: number
  /** What is asked of the real world and answered in its own time: no virtual time passes before it resolves. */
  answered?: () => Promise<unknown>
}

/** Same seed, same history. */
export function virtualEnv(options: VirtualOptions = {}): VirtualEnv {
  let wall = options.now ?? Date.UTC(2026, 0, 1)
  let mono = 0
  /** By time, and among equals by age. */
  const timers: { at: number; work: () => void }[] = []
  let soon: (() => void)[] = []
  const nextByte = seededBytes(options.seed ?? 1)

  const flush = async () => {
    let turns = 0
    do {
      if (turns++ > MOST_TURNS) throw new Error('this world never comes to rest: something reschedules itself for ever')
      const works = soon
      soon = []
      for (const work of works) work()
      await promisesSettled()
      await options.answered?.()
    } while (soon.length > 0)
  }

  return {
    // Whole, as the system's is, however fractional the timers that moved it.
    now: () => Math.floor(wall),
    mono: () => mono,
    timer(delayMs, work): Cancel {
      const timer = { at: mono + Math.max(0, delayMs), work }
      const place = timers.findIndex((other) => other.at > timer.at)
      timers.splice(place === -1 ? timers.length : place, 0, timer)
      return () => {
        const at = timers.indexOf(timer)
        if (at !== -1) timers.splice(at, 1)
      }
    },
    soon: (work) => void soon.push(work),
    random: (length) => Uint8Array.from({ length }, nextByte),
    async advance(ms) {
      const until = mono + ms
      await flush()
      for (let next = timers[0]; next && next.at <= until; next = timers[0]) {
        timers.shift()
        wall += next.at - mono
        mono = next.at
        next.work()
        await flush()
      }
      wall += until - mono
      mono = until
    },
    flush,
    jump(ms) {
      wall += ms
    },
    timers: () => timers.length,
  }
}

/** Every promise callback runs before the event loop's next turn. */
function promisesSettled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Bytes of the mulberry32 generator. */
function seededBytes(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) & 255
  }
}

/**
 * For real processes and sockets: waits until `condition` gives something true, and returns it. The usual limit is just
 * below that of a whole test: a machine with other work takes its time.
 */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  withinMs = 50_000,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const value = await condition()
    if (value) return value
    if (performance.now() > deadline) throw new Error(`waited ${withinMs} ms in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** One end of a pair: `socket` for its owner, who calls `open` with what to do on events. */
export interface SocketEnd {
  socket: Socket
  open(events: SocketEvents): void
}

export interface SocketPair {
  left: SocketEnd
  right: SocketEnd
  /** From now on nothing arrives at either end, and nobody is told: a cable pulled, a process stopped. */
  freeze(): void
  /** What was sent meanwhile arrives. */
  thaw(): void
  /** Both ends see an abnormal close (1006); what was under way is lost. */
  cut(): void
}

/** Two connected sockets. Messages arrive in order, `latencyMs` later (0: on the next turn), as copies. */
export function socketPair(env: Env, latencyMs = 0): SocketPair {
  const later = (work: () => void) => (latencyMs > 0 ? void env.timer(latencyMs, work) : env.soon(work))
  let frozen = false
  let held: (() => void)[] = []
  const deliver = (work: () => void) => later(() => (frozen ? void held.push(work) : work()))
  const left = new End(deliver)
  const right = new End(deliver)
  left.other = right
  right.other = left
  return {
    left: left.asEnd(),
    right: right.asEnd(),
    freeze: () => {
      frozen = true
    },
    thaw: () => {
      frozen = false
      const works = held
      held = []
      for (const work of works) work()
    },
    cut: () => {
      held = []
      left.closed(1006, '')
      right.closed(1006, '')
    },
  }
}

class End {
  other: End | undefined
  private events: SocketEvents | undefined
  private early: ((events: SocketEvents) => void)[] = []
  private state: 'open' | 'closing' | 'closed' = 'open'
  private onTheWay = 0

  constructor(private readonly deliver: (work: () => void) => void) {}

  asEnd(): SocketEnd {
    const socket: Socket = {
      send: (message) => this.send(message),
      close: (code, reason) => this.close(code, reason),
      buffered: () => this.onTheWay,
    }
    return { socket, open: (events) => this.open(events) }
  }

  /** The socket is gone; its owner hears of it once. */
  closed(code: number, reason: string): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.tell((events) => events.closed(code, reason))
  }

  private open(events: SocketEvents): void {
    this.events = events
    for (const event of this.early.splice(0)) event(events)
  }

  private send(message: Uint8Array): boolean {
    if (this.state !== 'open') return false
    const copy = message.slice()
    this.onTheWay += copy.length
    this.deliver(() => {
      this.onTheWay -= copy.length
      this.other?.arrived(copy)
    })
    return true
  }

  private close(code: number, reason: string): void {
    if (this.state !== 'open') return
    this.state = 'closing'
    this.deliver(() => {
      this.other?.closed(code, reason)
      this.deliver(() => this.closed(code, reason))
    })
  }

  private arrived(message: Uint8Array): void {
    if (this.state === 'open') this.tell((events) => events.message(message))
  }

  private tell(event: (events: SocketEvents) => void): void {
    if (this.events) event(this.events)
    else this.early.push(event)
  }
}
