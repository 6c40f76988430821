// Everything derived from the hub's one secret. Each purpose has a key of its own, so that no use can stand in for
// another; the secret itself is used for nothing.
import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  hkdfSync,
  type KeyObject,
  sign,
} from 'node:crypto'
import type { Env } from '../../sdk/env.ts'

/** PKCS #8 before the 32 bytes of an Ed25519 seed (RFC 8410). */
const ED25519_PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex')

const NONCE_BYTES = 12
const TAG_BYTES = 16
const MOST_NAMES = 20_000

type Naming = 'host' | 'cache' | 'recovery' | 'letters'

export class Seal {
  private readonly signing: KeyObject
  /** Every request names a host and a cache, mostly the same ones as others before. */
  private readonly names = new Map<string, string>()
  private readonly naming: Record<Naming, Buffer>
  /** 32 raw bytes, base64. */
  readonly publicKey: string
  readonly keyId: string

  constructor(private readonly secret: string) {
    this.signing = createPrivateKey({
      key: Buffer.concat([ED25519_PKCS8, this.key('receipts')]),
      format: 'der',
      type: 'pkcs8',
    })
    const spki = createPublicKey(this.signing).export({ format: 'der', type: 'spki' })
    this.publicKey = spki.subarray(-32).toString('base64')
    this.naming = {
      host: this.key('host'),
      cache: this.key('cache'),
      recovery: this.key('recovery'),
      letters: this.key('letters'),
    }
    this.keyId = `rk_${new Bun.CryptoHasher('sha256').update(this.publicKey).digest('hex').slice(0, 16)}`
  }

  /** An Ed25519 signature, base64. */
  sign(text: string): string {
    return sign(null, Buffer.from(text), this.signing).toString('base64')
  }

  /** A name nobody without the secret can compute or reverse: 22 characters, safe in addresses. */
  name(purpose: Naming, text: string): string {
    // What a person keeps secret is not kept here, nor what anybody may ask to have compared.
    if (purpose === 'recovery' || purpose === 'letters') return this.compute(purpose, text)
    const key = `${purpose} ${text}`
    const known = this.names.get(key)
    if (known !== undefined) return known
    const name = this.compute(purpose, text)
    if (this.names.size >= MOST_NAMES) this.names.clear()
    this.names.set(key, name)
    return name
  }

  /** Bytes nobody without the secret can compute, the same in the same order for the same text. */
  stream(purpose: 'playground' | 'webhook', text: string): Pick<Env, 'random'> {
    const key = this.key(purpose)
    let left = Buffer.alloc(0)
    let block = 0
    return {
      random(bytes) {
        while (left.length < bytes) {
          const next = new Bun.CryptoHasher('sha256', key).update(`${text} ${block++}`).digest()
          left = Buffer.concat([left, next])
        }
        const taken = left.subarray(0, bytes)
        left = left.subarray(bytes)
        return taken
      },
    }
  }

  /** For what must be read back, yet not from a stolen database: AES-256-GCM, base64. */
  conceal(env: Pick<Env, 'random'>, purpose: 'totp', text: string): string {
    const nonce = env.random(NONCE_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.key(purpose), nonce)
    return Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64')
  }

  /** @throws Error when it was concealed under another secret, or changed since */
  reveal(purpose: 'totp', concealed: string): string {
    const bytes = Buffer.from(concealed, 'base64')
    const cipher = createDecipheriv('aes-256-gcm', this.key(purpose), bytes.subarray(0, NONCE_BYTES))
    cipher.setAuthTag(bytes.subarray(-TAG_BYTES))
    return cipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8') + cipher.final('utf8')
  }

  private compute(purpose: Naming, text: string): string {
    return new Bun.CryptoHasher('sha256', this.naming[purpose]).update(text).digest('base64url').slice(0, 22)
  }

  private key(purpose: string): Buffer {
    return Buffer.from(hkdfSync('sha256', this.secret, 'gpuhub', purpose, 32))
  }
}
