// One line per event. JSON in production, readable on a terminal. Fields are named by the caller, so that no key,
// prompt or answer can slip in with an object that happens to hold one.
import { type ConsolaInstance, type ConsolaReporter, createConsola } from 'consola'

export type LogFields = Record<string, string | number | boolean | null | undefined>

export interface Log {
  debug(event: string, fields?: LogFields): void
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields & { error?: string }): void
}

const jsonLines: ConsolaReporter = {
  log({ type, date, args: [event, fields] }) {
    const line = { at: date.toISOString(), level: type, event: String(event), ...(fields as LogFields | undefined) }
    process.stderr.write(`${JSON.stringify(line)}\n`)
  },
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
  const log: ConsolaInstance = createConsola({ reporters: [json ? jsonLines : readable], level })
  return {
    debug: (event, fields) => log.debug(event, fields ?? {}),
    info: (event, fields) => log.info(event, fields ?? {}),
    warn: (event, fields) => log.warn(event, fields ?? {}),
    error: (event, fields) => log.error(event, fields ?? {}),
  }
}

/** For tests and for programs whose output is their own. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} }
