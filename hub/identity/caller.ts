// Who knocks, as far as the network says: the address that limits count by, and what a person recognises a session by.
import { BlockList, isIP } from 'node:net'

export interface Caller {
  /** IPv4 or IPv6; empty where there is no network, as in tests. */
  address: string
  /** The browser or program, in its own words. */
  agent: string
  /** ISO 3166-1, where a trusted proxy says so. */
  country: string | null
}

const LONGEST_AGENT = 200

/** Reads callers behind proxies: only what a proxy of ours wrote is believed. */
export class Callers {
  private readonly trusted: BlockList
  private readonly peers = new WeakMap<Request, string>()

  /** `proxies`: addresses and networks, `127.0.0.0/8, ::1`. `countryHeader` may be empty. @throws RangeError */
  constructor(
    proxies: string,
    private readonly countryHeader: string,
  ) {
    this.trusted = networks(proxies)
  }

  /** Called once for each request, with the other end of its connection. */
  note(request: Request, peer: string | undefined): void {
    if (peer !== undefined) this.peers.set(request, plainAddress(peer))
  }

  of(request: Request): Caller {
    const peer = this.peers.get(request) ?? ''
    const behindProxy = this.trusts(peer)
    const hops = behindProxy ? (request.headers.get('x-forwarded-for') ?? '').split(',').map((hop) => hop.trim()) : []
    const country = behindProxy && this.countryHeader ? (request.headers.get(this.countryHeader) ?? '') : ''
    return {
      address: this.lastStranger(hops) ?? peer,
      agent: printable(request.headers.get('user-agent') ?? '').slice(0, LONGEST_AGENT),
      country: /^[A-Z]{2}$/.test(country) ? country : null,
    }
  }

  /** The nearest hop that is no proxy of ours: what stands left of it anybody may have written. */
  private lastStranger(hops: string[]): string | undefined {
    for (const hop of hops.reverse()) {
      const address = plainAddress(hop)
      if (isIP(address) === 0) return undefined
      if (!this.trusts(address)) return address
    }
    return undefined
  }

  private trusts(address: string): boolean {
    const family = isIP(address)
    return family !== 0 && this.trusted.check(address, family === 6 ? 'ipv6' : 'ipv4')
  }
}

/** What a limit counts by: one IPv4 address, or the /64 that one IPv6 subscriber has to himself. */
export function limitKey(address: string): string {
  if (isIP(address) !== 6) return address
  const [head = '', tail] = address.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const groups =
    tail === undefined ? left : [...left, ...Array(Math.max(0, 8 - left.length - right.length)).fill('0'), ...right]
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}

/** Without brackets and a zone, and IPv4 as IPv4 where a socket for both families writes it as IPv6. */
function plainAddress(text: string): string {
  return text.replace(/^\[|\]$|%.*$/g, '').replace(/^::ffff:(\d+\.\d+\.\d+\.\d+)$/i, '$1')
}

function networks(list: string): BlockList {
  const all = new BlockList()
  for (const entry of list.split(/[\s,]+/).filter((each) => each !== '')) {
    const [address = '', length] = entry.split('/')
    const family = isIP(address)
    const most = family === 6 ? 128 : 32
    const bits = length === undefined ? most : Number(length)
    if (family === 0 || !Number.isInteger(bits) || bits < 0 || bits > most) {
      throw new RangeError(`"${entry}" is neither an address nor a network like 10.0.0.0/8`)
    }
    all.addSubnet(address, bits, family === 6 ? 'ipv6' : 'ipv4')
  }
  return all
}

function printable(text: string): string {
  return text.replace(/\p{C}/gu, '')
}
