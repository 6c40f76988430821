import { HostError } from '../errors.ts'
import { linkAddress } from '../tunnel/address.ts'

/** Where a hub answers questions, without a slash at the end, from its address as people write it. @throws HostError */
export function hubAddress(hub: string): string {
  return linkAddress(hub)
    .replace(/^ws/, 'http')
    .replace(/\/hosts\/link$/, '')
}

/** What goes over it can be read on the way. */
export function isPlain(address: string): boolean {
  const url = new URL(address)
  return !/^(https|wss):$/.test(url.protocol) && !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname)
}

/** @throws HostError where neither is there */
export function requireHub(hub: string | undefined): string {
  if (hub !== undefined) return hubAddress(hub)
  throw new HostError('Which hub? Sign in with gpuhost login --hub https://hub.example, or name it with --hub.', 2)
}
