import type { Env } from '../../sdk/env.ts'

export interface Progress {
  phase: 'downloading' | 'verifying'
  /** The file it is at. */
  file: string
  /** Of all files together. */
  doneBytes: number
  totalBytes: number
  /** Over the last seconds; null: too early to say. */
  bytesPerSecond: number | null
  secondsLeft: number | null
}

/** What speed is measured over, and how often it is told. */
const WINDOW_MS = 20_000
const TELL_MS = 250

/** Follows a download and tells how it goes, four times a second at most. */
export class Pace {
  private done = 0
  private toldAt = Number.NEGATIVE_INFINITY
  private readonly marks: { at: number; done: number }[] = []

  constructor(
    private readonly env: Env,
    private readonly totalBytes: number,
    private readonly tell: (progress: Progress) => void,
  ) {}

  /** Bytes that were here before: they say nothing about speed. */
  had(bytes: number): void {
    this.done += bytes
    for (const mark of this.marks) mark.done += bytes
  }

  /** What turned out to be worthless is to be fetched again. */
  lost(bytes: number): void {
    this.had(-bytes)
  }

  came(bytes: number, file: string): void {
    if (this.marks.length === 0) this.marks.push({ at: this.env.mono(), done: this.done })
    this.done += bytes
    this.say('downloading', file)
  }

  say(phase: Progress['phase'], file: string): void {
    const now = this.env.mono()
    if (phase === 'downloading' && now - this.toldAt < TELL_MS) return
    this.toldAt = now
    this.marks.push({ at: now, done: this.done })
    while (this.marks.length > 2 && now - (this.marks[1]?.at ?? now) > WINDOW_MS) this.marks.shift()
    const first = this.marks[0]
    const bytesPerSecond = first && now > first.at ? ((this.done - first.done) / (now - first.at)) * 1_000 : null
    const left = this.totalBytes - this.done
    const secondsLeft = bytesPerSecond !== null && bytesPerSecond > 0 ? Math.ceil(left / bytesPerSecond) : null
    this.tell({ phase, file, doneBytes: this.done, totalBytes: this.totalBytes, bytesPerSecond, secondsLeft })
  }
}
