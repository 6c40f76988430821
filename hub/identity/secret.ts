// The form of every secret a person copies: keys, host tokens. `PREFIX_`, 32 random characters, 6 of checksum: a
// scanner finds one that leaked, and a mistyped one is refused without asking the database.
import type { Env } from '../../sdk/env.ts'

export interface Secret {
  /** Shown once, kept nowhere. */
  secret: string
  /** What the database keeps: SHA-256, hex. 190 random bits need no slow hash. */
  hash: string
  /** The last four characters, so that a person can tell secrets apart. */
  hint: string
}

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const RANDOM_CHARACTERS = 32
const CHECKSUM_CHARACTERS = 6

/** A new secret. `prefix` comes without its underscore: `gph` makes `gph_…`. */
export function makeSecret(env: Pick<Env, 'random'>, prefix: string): Secret {
  const body = `${prefix}_${randomBase62(env)}`
  const secret = body + checksum(body)
  return { secret, hash: hashSecret(secret), hint: secret.slice(-4) }
}

/** Whether `text` has the form and the checksum of a secret with this prefix. Says nothing about whether it is valid. */
export function looksLikeSecret(prefix: string, text: string): boolean {
  if (text.length !== prefix.length + 1 + RANDOM_CHARACTERS + CHECKSUM_CHARACTERS) return false
  if (!text.startsWith(`${prefix}_`) || !/^[0-9A-Za-z]+$/.test(text.slice(prefix.length + 1))) return false
  return text.slice(-CHECKSUM_CHARACTERS) === checksum(text.slice(0, -CHECKSUM_CHARACTERS))
}

/** SHA-256, 64 hex digits: what a presented secret is looked up by. */
export function hashSecret(secret: string): string {
  return Bun.CryptoHasher.hash('sha256', secret, 'hex')
}

function randomBase62(env: Pick<Env, 'random'>): string {
  let text = ''
  while (text.length < RANDOM_CHARACTERS) {
    // Six bits of a byte, taken only below 62: the remainder of a division would favour the first characters.
    for (const byte of env.random(RANDOM_CHARACTERS)) {
      if ((byte & 63) < 62 && text.length < RANDOM_CHARACTERS) text += BASE62[byte & 63]
    }
  }
  return text
}

/** CRC32 of what stands before it, the prefix included, as six base62 digits. */
function checksum(body: string): string {
  let rest = Bun.hash.crc32(body)
  let text = ''
  for (let i = 0; i < CHECKSUM_CHARACTERS; i++) {
    text = BASE62[rest % 62] + text
    rest = Math.floor(rest / 62)
  }
  return text
}
