import { expect, test } from 'bun:test'
import { linkAddress, linkAddresses } from './address.ts'

test.each([
  ['hub.example', 'wss://hub.example/hosts/link'],
  ['https://hub.example/', 'wss://hub.example/hosts/link'],
  ['http://127.0.0.1:8080', 'ws://127.0.0.1:8080/hosts/link'],
  ['ws://localhost:8080/hosts/link', 'ws://localhost:8080/hosts/link'],
  ['https://example.org/gpu/', 'wss://example.org/gpu/hosts/link'],
  ['HTTPS://Hub.Example?x=1', 'wss://hub.example/hosts/link'],
])('%s is reached at %s', (hub, address) => {
  expect(linkAddress(hub)).toBe(address)
})

test.each(['', 'ftp://hub.example', 'https://me:secret@hub.example', 'https://', 'not a hub'])(
  '%j is no address',
  (hub) => {
    expect(() => linkAddress(hub)).toThrow('Write it like https://hub.example')
  },
)

test('of the addresses a hub names, those that would leak the token or make no sense are passed over', () => {
  const named = ['wss://a/hosts/link', 'ws://b/hosts/link', 'https://c', 'nonsense', 'wss://a/hosts/link/']
  expect(linkAddresses(named, 'wss://hub/hosts/link')).toEqual(['wss://a/hosts/link'])
  expect(linkAddresses(named, 'ws://hub/hosts/link')).toEqual(['wss://a/hosts/link', 'ws://b/hosts/link'])
})
