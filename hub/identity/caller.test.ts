import { expect, test } from 'bun:test'
import { Callers, limitKey } from './caller.ts'

const LOCAL = '127.0.0.0/8, ::1'

function seen(peer: string, headers: Record<string, string>, proxies = LOCAL, countryHeader = '') {
  const callers = new Callers(proxies, countryHeader)
  const request = new Request('http://hub.test/', { headers })
  callers.note(request, peer)
  return callers.of(request)
}

test.each([
  ['a direct caller', '203.0.113.7', {}, '203.0.113.7'],
  ['a direct caller who claims to be another', '203.0.113.7', { 'x-forwarded-for': '198.51.100.1' }, '203.0.113.7'],
  ['behind our proxy', '127.0.0.1', { 'x-forwarded-for': '198.51.100.1' }, '198.51.100.1'],
  [
    'behind our proxy, with a lie in front',
    '127.0.0.1',
    { 'x-forwarded-for': '8.8.8.8, 198.51.100.1' },
    '198.51.100.1',
  ],
  ['behind two proxies of ours', '127.0.0.1', { 'x-forwarded-for': '198.51.100.1, 127.0.0.2' }, '198.51.100.1'],
  ['a proxy that says nothing', '127.0.0.1', {}, '127.0.0.1'],
  ['a proxy that says nonsense', '127.0.0.1', { 'x-forwarded-for': 'unknown' }, '127.0.0.1'],
  ['IPv4 on a socket for both', '::ffff:203.0.113.7', {}, '203.0.113.7'],
  ['IPv6 behind a proxy on IPv6', '::1', { 'x-forwarded-for': '2001:db8::7' }, '2001:db8::7'],
])('%s', (_, peer, headers, address) => {
  expect(seen(peer, headers as Record<string, string>).address).toBe(address)
})

test('a country is believed of a proxy of ours alone', () => {
  const headers = { 'cf-ipcountry': 'DE', 'x-forwarded-for': '198.51.100.1' }
  expect(seen('127.0.0.1', headers, LOCAL, 'cf-ipcountry').country).toBe('DE')
  expect(seen('203.0.113.7', headers, LOCAL, 'cf-ipcountry').country).toBeNull()
  expect(seen('127.0.0.1', headers).country).toBeNull()
  expect(seen('127.0.0.1', { 'cf-ipcountry': '<b>' }, LOCAL, 'cf-ipcountry').country).toBeNull()
})

test('what a browser says of itself is cut and has no control characters', () => {
  expect(seen('127.0.0.1', { 'user-agent': `Fire\tfox${'x'.repeat(500)}` }).agent).toMatch(/^Firefoxx+$/)
  expect(seen('127.0.0.1', { 'user-agent': 'x'.repeat(500) }).agent).toHaveLength(200)
})

test('one subscriber counts once, whatever address of theirs they use', () => {
  expect(limitKey('203.0.113.7')).toBe('203.0.113.7')
  expect(limitKey('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2::/64')
  expect(limitKey('2001:db8:1:2::1')).toBe('2001:db8:1:2::/64')
  expect(limitKey('2001:db8::1')).toBe('2001:db8:0:0::/64')
  expect(limitKey('::1')).toBe('0:0:0:0::/64')
})

test.each(['10.0.0.0/33', 'proxy.example', '10.0.0.0/x', '::1/200'])('"%s" is no network', (proxies) => {
  expect(() => new Callers(proxies, '')).toThrow(RangeError)
})
