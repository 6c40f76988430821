// What the agent tells its owner. Facts are short and never a token, a prompt or an answer.
import { appendFileSync, renameSync, statSync } from 'node:fs'
import type { Env } from '../sdk/env.ts'
import { printable } from './errors.ts'

export type Level = 'info' | 'warn' | 'error'
export type Facts = Record<string, string | number | boolean | null>
export interface Log {
  info(message: string, facts?: Facts): void
  warn(message: string, facts?: Facts): void
  error(message: string, facts?: Facts): void
}

type Write = (line: string) => void
type Format = (at: number, level: Level, message: string, facts: Facts) => string

export function logTo(env: Env, write: Write, format: Format): Log {
  const at =
    (level: Level) =>
    (message: string, facts: Facts = {}) =>
      write(`${format(env.now(), level, message, facts)}\n`)
  return { info: at('info'), warn: at('warn'), error: at('error') }
}

/** One JSON object per line, for files and supervisors. */
export const jsonLine: Format = (at, level, message, facts) =>
  JSON.stringify({ time: new Date(at).toISOString(), level, message, ...facts })

/** A line of a file as a terminal shows it; what is none of ours stays as it is, without what could repaint the terminal. */
export function readableLine(line: string): string {
  try {
    const { time, level, message, ...facts } = JSON.parse(line) as Facts & {
      time: string
      level: Level
      message: string
    }
    return printable(`${time.slice(0, 10)} ${humanLine(Date.parse(time), level, message, facts)}`)
  } catch {
    return printable(line)
  }
}

/** For a terminal. */
export const humanLine: Format = (at, level, message, facts) => {
  const clock = new Date(at).toTimeString().slice(0, 8)
  const mark = level === 'info' ? '' : `${level}: `
  const details = Object.entries(facts).map(([name, value]) => `${name}=${value}`)
  return [clock, `${mark}${message}`, ...details].join('  ')
}

/**
 * Appends to a file; at `limitBytes` the file moves to `<path>.1`, so that two limits are the most it ever takes. What
 * cannot be written is lost: on a full disk the agent still has to stop, and to give the GPU back.
 */
export function fileWriter(path: string, limitBytes = 8 * 1024 * 1024): Write {
  let size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  return (line) => {
    try {
      if (size + line.length > limitBytes && size > 0) {
        renameSync(path, `${path}.1`)
        size = 0
      }
      appendFileSync(path, line, { mode: 0o600 })
      size += Buffer.byteLength(line)
    } catch {
      // There is no other place to say it.
    }
  }
}
