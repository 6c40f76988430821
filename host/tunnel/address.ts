import { HostError } from '../errors.ts'

const SCHEMES: Record<string, string> = { 'http:': 'ws:', 'https:': 'wss:', 'ws:': 'ws:', 'wss:': 'wss:' }

/**
 * The link address of a hub as a person writes it: `hub.example`, `https://hub.example`, `ws://127.0.0.1:8080/x`.
 * Without a scheme it is TLS. @throws HostError
 */
export function linkAddress(hub: string): string {
  const text = hub.includes('://') ? hub : `https://${hub}`
  const url = URL.canParse(text) ? new URL(text) : undefined
  const scheme = url && SCHEMES[url.protocol]
  if (!url || !scheme || !url.hostname || url.username || url.password)
    throw new HostError(`"${hub.slice(0, 80)}" is not a hub's address. Write it like https://hub.example.`, 2)
  const path = url.pathname.replace(/\/+$/, '').replace(/\/hosts\/link$/, '')
  return `${scheme}//${url.host}${path}/hosts/link`
}

/** Where the same hub answers HTTP, without a slash at the end. @throws HostError */
export function httpAddress(hub: string): string {
  return linkAddress(hub)
    .replace(/^ws/, 'http')
    .replace(/\/hosts\/link$/, '')
}

/**
 * The addresses worth dialling among those a hub names. A hub reached over TLS cannot send the token over plain text.
 */
export function linkAddresses(named: readonly string[], through: string): string[] {
  const found = new Set<string>()
  for (const address of named) {
    if (!URL.canParse(address) || !/^wss?:/.test(address)) continue
    if (through.startsWith('wss:') && !address.startsWith('wss:')) continue
    found.add(linkAddress(address))
  }
  return [...found]
}
