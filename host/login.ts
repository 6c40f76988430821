// What this machine got when its owner approved it: whose it is, at which hub, and the key that makes the token its own.
import type { KeyObject } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Env } from '../sdk/env.ts'
import { linkProof, machineKey } from '../sdk/wire/machine-key.ts'
import type { Home } from './config.ts'
import { HostError, reason } from './errors.ts'

export interface Login {
  /** As the owner wrote it at `gpuhost login`. */
  hub: string
  token: string
  /** For `gpuhub host-token revoke`, and on the owner's pages. */
  tokenId: string
  /** The owner's address. */
  owner: string
}

const SEED = /^[0-9a-f]{64}$/

/** This machine's key, made once. @throws HostError when its file cannot be written or read */
export function ownKey(home: Home, env: Env): KeyObject {
  try {
    writeFileSync(keyPath(home), Buffer.from(env.random(32)).toString('hex'), { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST')
      throw new HostError(`${keyPath(home)} cannot be written: ${reason(error)}.`)
  }
  return readKey(home)!
}

/** What proves at each link that a token is shown by this machine; null for a machine that never logged in. */
export function linkProver(home: Home, env: Env): (token: string) => string | null {
  const key = readKey(home)
  return (token) => (key ? linkProof(key, env.now(), token) : null)
}

/** @throws HostError when the file is there and damaged */
export function savedLogin(home: Home): Login | null {
  const text = readIfThere(loginPath(home))
  if (text === null) return null
  try {
    const { hub, token, tokenId, owner } = JSON.parse(text) as Record<string, unknown>
    if ([hub, token, tokenId, owner].every((field) => typeof field === 'string'))
      return { hub, token, tokenId, owner } as Login
  } catch {
    // Said below.
  }
  throw new HostError(`${loginPath(home)} is damaged. Run gpuhost login again.`)
}

/** Whole or not at all, for its owner only. */
export function saveLogin(home: Home, login: Login): void {
  const path = loginPath(home)
  try {
    writeFileSync(`${path}.new`, `${JSON.stringify(login, null, 2)}\n`, { mode: 0o600 })
    renameSync(`${path}.new`, path)
  } catch (error) {
    throw new HostError(`${path} cannot be written: ${reason(error)}.`)
  }
}

function readKey(home: Home): KeyObject | null {
  const seed = readIfThere(keyPath(home))?.trim()
  if (seed === undefined) return null
  if (!SEED.test(seed)) throw new HostError(`${keyPath(home)} is damaged. Remove it and run gpuhost login again.`)
  return machineKey(Buffer.from(seed, 'hex'))
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new HostError(`${path} cannot be read: ${reason(error)}.`)
  }
}

const keyPath = (home: Home) => join(home.path, 'key')
const loginPath = (home: Home) => join(home.path, 'login.json')
