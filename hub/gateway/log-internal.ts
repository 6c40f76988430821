import type { HubError } from '../errors.ts'
import type { Log } from '../log.ts'

/** What a client is told nothing of has to be in the log. */
export function logInternal(log: Log, request: string, error: HubError): void {
  if (error.code === 'internal')
    log.error('a request failed inside the hub', { request, error: describe(error.cause ?? error) })
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
