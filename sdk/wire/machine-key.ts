// A machine's own key pair (Ed25519). A token that was handed to a machine works for the holder of that key alone: what
// was approved for one machine cannot be carried to another. Both programs sign and check the same texts, written here.
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'

/** DER before the 32 raw bytes of a public key, and of a private seed (RFC 8410). */
const SPKI = Buffer.from('302a300506032b6570032100', 'hex')
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex')
const KEY_BYTES = 32
const SIGNATURE_BYTES = 64

/** Header of a host's link request: `TIME.SIGNATURE`, milliseconds since 1970 and base64url. */
export const PROOF_HEADER = 'x-gpuhost-proof'

/** How far the machine's clock may be off. */
export const PROOF_SKEW_MS = 10 * 60_000

/** What a machine signs to fetch the token its owner approved. */
export function signInText(deviceCode: string): string {
  return `gpuhost sign-in ${deviceCode}`
}

/** What a machine signs each time it links. `token` is the host token it shows. */
export function linkText(at: number, token: string): string {
  return `gpuhost link ${at} ${token}`
}

/** The private key of 32 random bytes. */
export function machineKey(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' })
}

/** 32 bytes, base64. */
export function publicKeyOf(key: KeyObject): string {
  return createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-KEY_BYTES).toString('base64')
}

/** 64 bytes, base64url. */
export function signed(key: KeyObject, text: string): string {
  return sign(null, Buffer.from(text), key).toString('base64url')
}

/** Whether `publicKey` has the form of one. */
export function isPublicKey(publicKey: string): boolean {
  return /^[A-Za-z0-9+/]{43}=$/.test(publicKey)
}

/** Whether `signature` (base64 or base64url) is `publicKey`'s under `text`. Anything malformed is not. */
export function isSigned(publicKey: string, text: string | Uint8Array, signature: string): boolean {
  const bytes = Buffer.from(signature, 'base64url')
  if (!isPublicKey(publicKey) || bytes.length !== SIGNATURE_BYTES) return false
  try {
    const spki = Buffer.concat([SPKI, Buffer.from(publicKey, 'base64')])
    return verify(null, Buffer.from(text), createPublicKey({ key: spki, format: 'der', type: 'spki' }), bytes)
  } catch {
    // 32 bytes that are no point of the curve.
    return false
  }
}

/** The header a host sends to link. */
export function linkProof(key: KeyObject, at: number, token: string): string {
  return `${at}.${signed(key, linkText(at, token))}`
}

/** `clock`: the signature is right, and so old or so new that the machine's clock must be wrong. */
export function checkLinkProof(
  publicKey: string,
  token: string,
  { header, now }: { header: string | null; now: number },
): 'right' | 'clock' | 'wrong' {
  const [, time, signature] = /^(\d{1,15})\.([\w-]{86})$/.exec(header ?? '') ?? []
  if (time === undefined || signature === undefined) return 'wrong'
  if (!isSigned(publicKey, linkText(Number(time), token), signature)) return 'wrong'
  return Math.abs(now - Number(time)) <= PROOF_SKEW_MS ? 'right' : 'clock'
}
