// The hub's own secret: names and sessions that it hands out are keyed with it.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../../hub/config.ts'
import { Failure } from '../failure.ts'

const SHORTEST = 32

export function secretFile(data: string): string {
  return join(data, 'secret')
}

/** From the environment, else from the data folder, where it is made at the first start. @throws Failure */
export function secretOf(config: Config): string {
  const existing = existingSecret(config)
  if (existing !== null) return existing
  const secret = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('hex')
  // wx: of two processes that start at once, one makes it.
  writeFileSync(secretFile(config.data), `${secret}\n`, { mode: 0o600, flag: 'wx' })
  return secret
}

/** @returns null where the first start would make one. @throws Failure */
export function existingSecret(config: Config): string | null {
  if (config.secret) return strong(config.secret, 'GPUHUB_SECRET')
  if (config.databaseUrl) {
    throw new Failure(
      'GPUHUB_SECRET is missing: hubs that share a PostgreSQL must share a secret, too.',
      1,
      'Make one with: openssl rand -hex 32',
    )
  }
  const path = secretFile(config.data)
  return existsSync(path) ? strong(readFileSync(path, 'utf8').trim(), path) : null
}

function strong(secret: string, source: string): string {
  if (secret.length >= SHORTEST) return secret
  throw new Failure(`The secret in ${source} has ${secret.length} characters; it takes at least ${SHORTEST}.`)
}
