// Posts alarms to where the team wants them: signed, so that whoever gets them can tell that they are ours; never into
// the hub's own network, for an admin's page must not become a way to ask what only this machine may.
import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'
import type { Env } from '../../sdk/env.ts'
import type { Seal } from '../identity/seal.ts'

/** @throws Error when it did not arrive */
export type Post = (url: string, body: string) => Promise<void>

interface Options {
  env: Env
  seal: Seal
  /** Private addresses, too. */
  allowPrivate: boolean
  resolve?: (hostname: string) => Promise<string[]>
  send?: (url: string, init: RequestInit) => Promise<{ status: number }>
}

const LONGEST_MS = 10_000

export function webhook({ env, seal, allowPrivate, resolve = addressesOf, send = fetch }: Options): Post {
  return async (url, body) => {
    const { hostname } = new URL(url)
    if (!allowPrivate) {
      const inside = (await resolve(hostname.replace(/^\[|\]$/g, ''))).find((address) => !isPublic(address))
      if (inside !== undefined) throw new Error(`${hostname} is ${inside}, an address inside some network`)
    }
    const controller = new AbortController()
    const cancel = env.timer(LONGEST_MS, () => controller.abort(new Error(`no answer within ${LONGEST_MS / 1_000} s`)))
    try {
      const headers = { 'content-type': 'application/json', 'x-gpuhub-signature': signature(env, seal, body) }
      // A redirect could lead where the address itself may not.
      const { status } = await send(url, {
        method: 'POST',
        body,
        headers,
        redirect: 'error',
        signal: controller.signal,
      })
      if (status < 200 || status > 299) throw new Error(`status ${status}`)
    } finally {
      cancel()
    }
  }
}

/** What the receiver checks the signature with; the same at every start. */
export function webhookKey(seal: Seal): string {
  return Buffer.from(seal.stream('webhook', '').random(24)).toString('base64url')
}

/** `t=SECONDS,v1=HEX`: HMAC-SHA256, with the key, of `SECONDS.BODY`. */
function signature(env: Env, seal: Seal, body: string): string {
  const at = Math.floor(env.now() / 1_000)
  return `t=${at},v1=${new Bun.CryptoHasher('sha256', webhookKey(seal)).update(`${at}.${body}`).digest('hex')}`
}

async function addressesOf(hostname: string): Promise<string[]> {
  if (isIP(hostname) !== 0) return [hostname]
  return (await lookup(hostname, { all: true })).map(({ address }) => address)
}

const inside = new BlockList()
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const)
  inside.addSubnet(network, bits, 'ipv4')

/** Only what is handed out to the world counts: of IPv6 that is 2000::/3, without what stands for IPv4 or for examples. */
export function isPublic(address: string): boolean {
  if (isIP(address) === 4) return !inside.check(address, 'ipv4')
  if (isIP(address) !== 6) return false
  return world.check(address, 'ipv6') && !tunnels.check(address, 'ipv6')
}

const world = new BlockList()
world.addSubnet('2000::', 3, 'ipv6')
const tunnels = new BlockList()
for (const [network, bits] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
] as const)
  tunnels.addSubnet(network, bits, 'ipv6')
