// Time-based one-time passwords (RFC 6238, over HOTP, RFC 4226): SHA-1, six digits, a new one every 30 seconds, as every
// authenticator app has it.
import { createHmac, timingSafeEqual } from 'node:crypto'

const STEP_MS = 30_000
const DIGITS = 6
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** The number of the step that `now` (milliseconds since 1970) lies in. */
export function stepAt(now: number): number {
  return Math.floor(now / STEP_MS)
}

/** The six digits of one step. `secret`: 20 bytes. */
export function codeAt(secret: Uint8Array, step: number): string {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(step))
  const mac = createHmac('sha1', secret).update(counter).digest()
  const at = (mac[mac.length - 1] ?? 0) & 15
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 10 ** DIGITS).padStart(DIGITS, '0')
}

/** The step whose code this is, a step early or late included, and later than `after`; null for none. */
export function matchingStep(
  secret: Uint8Array,
  code: string,
  { now, after }: { now: number; after: number },
): number | null {
  const given = Buffer.from(code)
  const around = [stepAt(now) - 1, stepAt(now), stepAt(now) + 1]
  const found = around.filter((step) => {
    const right = Buffer.from(codeAt(secret, step))
    return given.length === right.length && timingSafeEqual(given, right)
  })
  return found.find((step) => step > after) ?? null
}

/** As apps read it, from a picture or typed. */
export function otpauthUri(secret: Uint8Array, account: string): string {
  const label = `gpuhub:${encodeURIComponent(account)}`
  return `otpauth://totp/${label}?secret=${base32(secret)}&issuer=gpuhub&algorithm=SHA1&digits=${DIGITS}&period=30`
}

/** RFC 4648, without padding: 20 bytes are 32 characters. */
export function base32(bytes: Uint8Array): string {
  let text = ''
  let bits = 0
  let value = 0
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xffff
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += BASE32[(value >> bits) & 31]
    }
  }
  return bits > 0 ? text + BASE32[(value << (5 - bits)) & 31] : text
}
