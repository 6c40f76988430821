// The one loop everything happens in. An event is taken, run, and followed by every promise callback it set off; then
// comes the next. Which of several events at one instant comes first is drawn. Nothing here waits, so that a history of
// a minute takes as long as its work, and the same seed makes the same history.
import { drainMicrotasks } from 'bun:jsc'
import type { Cancel, Env } from '../sdk/env.ts'
import { type Dice, hashText } from './dice.ts'

/** Milliseconds since 1970 at the beginning of every history. */
const BEGINNING = Date.UTC(2026, 10, 23)
const KEPT_NOTES = 50

interface Event {
  /** When it runs. */
  at: number
  /** When it was due: earlier than `at` when its process stood still. */
  due: number
  /** Drawn: the order among events of one instant. */
  tie: number
  label: string
  process: Process | null
  io: boolean
  work: (() => void) | null
}

export class Kernel {
  /** Monotonic milliseconds since the beginning. */
  now = 0
  steps = 0
  /** The first thing that went wrong outside a promise. */
  thrown: Error | null = null
  private readonly heap: Event[] = []
  private readonly notes: string[] = []
  private readonly dice: Dice
  private hash = 0x811c9dc5

  /** `onNote` hears every note as it is made. */
  constructor(
    dice: Dice,
    private onNote: (line: string) => void = () => {},
  ) {
    this.dice = dice.for('kernel')
  }

  process(name: string): Process {
    return new Process(this, name, this.dice.for(`process ${name}`))
  }

  /** Something that happens in the world, to no program in particular. */
  after(delayMs: number, label: string, work: () => void): Cancel {
    return this.schedule(delayMs, label, null, false, work)
  }

  schedule(delayMs: number, label: string, process: Process | null, io: boolean, work: () => void): Cancel {
    const at = this.now + Math.max(0, delayMs)
    const event: Event = { at, due: at, tie: this.dice.next(), label, process, io, work }
    this.push(event)
    return () => {
      event.work = null
    }
  }

  /** An event that was due before runs now. */
  again(event: Event): void {
    event.at = this.now
    this.push(event)
  }

  /** Runs the next event. False: there is none. */
  step(): boolean {
    for (;;) {
      const event = this.pop()
      if (!event) return false
      const { process, work } = event
      if (!work || process?.dead) continue
      if (process?.still) {
        process.park(event)
        continue
      }
      this.steps++
      this.now = event.at
      this.record(event.label)
      event.work = null
      try {
        work()
      } catch (error) {
        this.thrown ??= error as Error
      }
      drainMicrotasks()
      return true
    }
  }

  /** Something worth reading when a history fails. Part of what makes two histories the same. */
  note(text: string): void {
    const line = `${(this.now / 1_000).toFixed(3).padStart(8)}  ${text}`
    this.record(text)
    this.onNote(line)
    this.notes.push(line)
    if (this.notes.length > 2 * KEPT_NOTES) this.notes.splice(0, KEPT_NOTES)
  }

  /** Nobody hears what is noted from now on. */
  hush(): void {
    this.onNote = () => {}
  }

  lastNotes(): string[] {
    return this.notes.slice(-KEPT_NOTES)
  }

  /** Of all that happened so far, in its order. */
  fingerprint(): string {
    return `${this.steps}-${(this.hash >>> 0).toString(16).padStart(8, '0')}`
  }

  wall(): number {
    return BEGINNING + this.now
  }

  private record(text: string): void {
    this.hash = Math.imul(hashText(text, this.hash) ^ Math.floor(this.now * 1_000), 0x01000193)
  }

  private push(event: Event): void {
    const { heap } = this
    let at = heap.length
    heap.push(event)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!before(event, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = event
  }

  private pop(): Event | undefined {
    const { heap } = this
    const first = heap[0]
    const last = heap.pop()
    if (!first || !last || heap.length === 0) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++
      if (!before(heap[child]!, last)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
    return first
  }
}

function before(a: Event, b: Event): boolean {
  if (a.at !== b.at) return a.at < b.at
  if (a.due !== b.due) return a.due < b.due
  return a.tie < b.tie
}

/** One program: what it sees of the world is its `env`. Killed, it does nothing more, whatever it still had in hand. */
export class Process {
  dead = false
  /** It does nothing, and does not know: stopped by a signal, or busy with something else. */
  still = false
  /** When it last did. */
  stoodStillAt = Number.NEGATIVE_INFINITY
  readonly env: Env
  private readonly immediates: (() => void)[] = []
  private readonly deaths: (() => void)[] = []
  private wallOffset = 0
  /** What came due meanwhile. */
  private readonly parked: Event[] = []

  constructor(
    private readonly kernel: Kernel,
    readonly name: string,
    private readonly dice: Dice,
  ) {
    this.env = {
      now: () => Math.floor(kernel.wall() + this.wallOffset),
      mono: () => kernel.now,
      // The runtime's timers know whole milliseconds, and none shorter than one.
      timer: (delayMs, work) => this.after(Math.max(1, Math.trunc(delayMs)), 'timer', work),
      soon: (work) => this.soon(work),
      random: (length) => dice.bytes(length),
    }
  }

  after(delayMs: number, label: string, work: () => void): Cancel {
    if (this.dead) return () => {}
    return this.kernel.schedule(delayMs, `${this.name} ${label}`, this, false, work)
  }

  /** Something that reaches it from outside. */
  hears(delayMs: number, label: string, work: () => void): Cancel {
    if (this.dead) return () => {}
    return this.kernel.schedule(delayMs, `${this.name} ${label}`, this, true, work)
  }

  /** Its system closes what it had open. */
  onDeath(work: () => void): void {
    this.deaths.push(work)
  }

  kill(): void {
    if (this.dead) return
    this.dead = true
    for (const work of this.deaths.splice(0)) work()
  }

  standStill(ms: number): void {
    if (this.still) return
    this.still = true
    this.stoodStillAt = Number.POSITIVE_INFINITY
    this.kernel.after(ms, `${this.name} goes on`, () => this.goOn())
  }

  park(event: Event): void {
    this.parked.push(event)
  }

  /** What was due while it stood still runs now: timers in their order, and all input before or after. */
  goOn(): void {
    if (!this.still) return
    this.still = false
    this.stoodStillAt = this.kernel.now
    const ioFirst = this.dice.chance(0.5)
    for (const event of this.parked.splice(0)) {
      if (event.io) event.due += ioFirst ? -1e9 : 1e9
      this.kernel.again(event)
    }
  }

  /** The wall clock is set. */
  jump(ms: number): void {
    this.wallOffset += ms
  }

  /** In the order in which they were asked for, as the event loop does. */
  private soon(work: () => void): void {
    if (this.dead) return
    this.immediates.push(work)
    this.after(0, 'soon', () => this.immediates.shift()?.())
  }
}

/** What a promise resolves to that needs nobody but itself. @throws what it rejects with */
export function settled<T>(promise: Promise<T>): T {
  let outcome: { value: T } | { error: unknown } | null = null
  promise.then(
    (value) => {
      outcome = { value }
    },
    (error: unknown) => {
      outcome = { error }
    },
  )
  drainMicrotasks()
  const known = outcome as { value: T } | { error: unknown } | null
  if (!known) throw new Error('a promise waits for something that does not happen by itself')
  if ('error' in known) throw known.error
  return known.value
}
