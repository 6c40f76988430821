// One line per event. JSON in production, readable on a terminal. Fields are named by the caller, so that no key,
// prompt or answer can slip in with an object that happens to hold one.
import { writeSync } from 'node:fs'
import { type ConsolaInstance, type ConsolaReporter, createConsola } from 'consola'
import { type Env, systemEnv } from '../sdk/env.ts'

const STDERR = 2

export type LogFields = Record<string, string | number | boolean | null | undefined>

export interface Log {
  debug(event: string, fields?: LogFields): void
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields & { error?: string }): void
}

const readable: ConsolaReporter = {
  log({ type, date, args: [event, fields] }) {
    const facts = Object.entries((fields as LogFields | undefined) ?? {})
      .filter(([, value]) => value !== undefined && value !== null)
      .map(([name, value]) => `${name}=${value}`)
      .join(' ')
    process.stderr.write(
      `${date.toISOString().slice(11, 19)} ${type.padEnd(5)} ${String(event)}${facts && `  ${facts}`}\n`,
    )
  },
}

/** Writes to stderr; stdout is for data. */
export function createLog({ json, level = 3 }: { json: boolean; level?: number }): Log {
  return json ? jsonLog(systemEnv, level) : readableLog(level)
}

/** What is only information may wait this long, so that the lines of many requests go out in one piece. */
const GATHER_MS = 20
const MOST_GATHERED_CHARS = 64 * 1024

/** Every request is a line: writing each by itself would take longer than admitting it. */
function jsonLog(env: Pick<Env, 'now' | 'timer'>, most: number): Log {
  let lines = ''
  const flush = () => {
    if (lines !== '') process.stderr.write(lines)
    lines = ''
  }
  process.once('exit', () => {
    if (lines !== '') writeSync(STDERR, lines)
  })
  const write = (name: keyof Log, level: number) => (event: string, fields?: LogFields) => {
    if (level > most) return
    const at = new Date(env.now()).toISOString()
    if (lines === '' && level > 1) env.timer(GATHER_MS, flush)
    lines += `${JSON.stringify({ at, level: name, event, ...fields })}\n`
    if (level <= 1 || lines.length > MOST_GATHERED_CHARS) flush()
  }
  return { debug: write('debug', 4), info: write('info', 3), warn: write('warn', 1), error: write('error', 0) }
}

function readableLog(level: number): Log {
  const log: ConsolaInstance = createConsola({ reporters: [readable], level })
  return {
    debug: (event, fields) => log.debug(event, fields ?? {}),
    info: (event, fields) => log.info(event, fields ?? {}),
    warn: (event, fields) => log.warn(event, fields ?? {}),
    error: (event, fields) => log.error(event, fields ?? {}),
  }
}

/** For tests and for programs whose output is their own. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} }
