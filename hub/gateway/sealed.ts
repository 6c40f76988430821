// An answer that is kept for its client alone: AES-256-GCM under a key that follows from the API key. The hub keeps only
// that key's hash, so what it stored is unreadable until the client presents the key again.
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import type { Env } from '../../sdk/env.ts'

export interface KeptAnswer {
  headers: Record<string, string>
  body: string
}

const CIPHER = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** `place`: where it is stored; moved elsewhere it cannot be opened. @returns base64: nonce, tag, ciphertext */
export function seal(env: Env, apiKey: string, place: string, answer: KeptAnswer): string {
  const nonce = env.random(NONCE_BYTES)
  const cipher = createCipheriv(CIPHER, keyFor(apiKey, place), nonce)
  cipher.setAAD(Buffer.from(place))
  const text = Buffer.concat([cipher.update(JSON.stringify(answer), 'utf8'), cipher.final()])
  return Buffer.concat([nonce, cipher.getAuthTag(), text]).toString('base64')
}

/** @throws when it was sealed under another API key, for another place, or is damaged */
export function unseal(apiKey: string, place: string, sealed: string): KeptAnswer {
  const bytes = Buffer.from(sealed, 'base64')
  const decipher = createDecipheriv(CIPHER, keyFor(apiKey, place), bytes.subarray(0, NONCE_BYTES))
  decipher.setAAD(Buffer.from(place))
  decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
  const text = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()])
  return JSON.parse(text.toString('utf8')) as KeptAnswer
}

function keyFor(apiKey: string, place: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', apiKey, place, 'gpuhub kept answer', 32))
}
