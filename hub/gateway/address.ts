// Which client a request comes from, as far as that can be believed.
import { BlockList, isIP } from 'node:net'
import { ConfigError } from '../config.ts'

/** Addresses and networks, as `127.0.0.1, 10.0.0.0/8, fd00::/8`. @throws ConfigError */
export function networks(text: string): BlockList {
  const list = new BlockList()
  for (const entry of text.split(/[\s,]+/).filter((part) => part !== '')) {
    const [address = '', prefix] = entry.split('/')
    const family = isIP(address)
    const most = family === 6 ? 128 : 32
    const length = prefix === undefined ? most : /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1
    if (family === 0 || length < 0 || length > most)
      throw new ConfigError(
        `GPUHUB_TRUSTED_PROXIES: "${entry}" is no address or network. Write 10.0.0.7 or 10.0.0.0/8.`,
      )
    list.addSubnet(address, length, family === 6 ? 'ipv6' : 'ipv4')
  }
  return list
}

/**
 * The nearest address that is not one of ours: proxies append whom they speak for, so reading from the right, the first
 * that is no trusted proxy is the client, and what stands left of it is anybody's invention. Null: the request comes from
 * this machine itself, where all clients look alike.
 */
export function clientAddress(peer: string, forwarded: string | null, trusted: BlockList): string | null {
  const direct = plainAddress(peer)
  if (!isIn(trusted, direct)) return isLoopback(direct) ? null : direct
  const hops = (forwarded ?? '').split(',').map(plainAddress)
  for (const hop of hops.reverse()) {
    if (isIP(hop) === 0) return direct
    if (!isIn(trusted, hop)) return hop
  }
  return direct
}

/** What counts as one stranger: an IPv4 address, the /64 of an IPv6 address, since one subscriber has all of it. */
export function networkOf(address: string): string {
  if (isIP(address) !== 6) return address
  const [head = '', tail = ''] = address.toLowerCase().split('::')
  const [left, right] = [groups(head), groups(tail)]
  const zeros = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0')
  return `${[...left, ...zeros, ...right].slice(0, 4).join(':')}::/64`
}

function groups(text: string): string[] {
  return text === '' ? [] : text.split(':').map((group) => group.replace(/^0+(?=.)/, ''))
}

/** Without brackets, port and zone; an IPv4 address in IPv6 clothes without them. */
function plainAddress(text: string): string {
  const bare = text
    .trim()
    .replace(/^\[([^\]]*)\](:\d+)?$/, '$1')
    .replace(/%.*$/, '')
  const v4 = /^(?:::ffff:)?(\d+\.\d+\.\d+\.\d+)(?::\d+)?$/i.exec(bare)?.[1]
  return v4 ?? bare
}

function isIn(list: BlockList, address: string): boolean {
  return list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.')
}
