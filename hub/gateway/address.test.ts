import { describe, expect, test } from 'bun:test'
import { ConfigError } from '../config.ts'
import { clientAddress, networkOf, networks } from './address.ts'

const none = networks('')
const proxies = networks('127.0.0.1, 10.0.0.0/8 fd00::/8')

describe('the client of a request from', () => {
  // peer, X-Forwarded-For, trusted → client
  const cases: [string, string | null, typeof none, string | null][] = [
    ['203.0.113.7', null, none, '203.0.113.7'],
    ['203.0.113.7', '198.51.100.1', none, '203.0.113.7'],
    ['203.0.113.7', '198.51.100.1', proxies, '203.0.113.7'],
    ['127.0.0.1', null, none, null],
    ['::1', '198.51.100.1', none, null],
    ['::ffff:127.0.0.1', null, none, null],
    ['127.0.0.1', null, proxies, '127.0.0.1'],
    ['127.0.0.1', '203.0.113.7', proxies, '203.0.113.7'],
    ['::ffff:10.1.2.3', '203.0.113.7', proxies, '203.0.113.7'],
    ['10.1.2.3', '198.51.100.1, 203.0.113.7', proxies, '203.0.113.7'],
    ['10.1.2.3', '198.51.100.1, 203.0.113.7, 10.9.9.9', proxies, '203.0.113.7'],
    ['10.1.2.3', '203.0.113.7:51234', proxies, '203.0.113.7'],
    ['10.1.2.3', '[2001:db8::7]:51234', proxies, '2001:db8::7'],
    ['fd00::1', '2001:db8::7', proxies, '2001:db8::7'],
    ['10.1.2.3', 'garbage', proxies, '10.1.2.3'],
    ['10.1.2.3', '203.0.113.7, garbage', proxies, '10.1.2.3'],
    ['10.1.2.3', '10.0.0.1, 10.0.0.2', proxies, '10.1.2.3'],
    ['10.1.2.3', '', proxies, '10.1.2.3'],
    ['fe80::1%eth0', null, none, 'fe80::1'],
  ]
  test.each(cases)('%p, forwarded for %p', (peer, forwarded, trusted, client) => {
    expect(clientAddress(peer, forwarded, trusted)).toBe(client)
  })
})

test.each([
  ['203.0.113.7', '203.0.113.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0DB8:0001:0002::9', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['2001:db8:1::', '2001:db8:1:0::/64'],
])('%p counts as %p', (address, network) => {
  expect(networkOf(address)).toBe(network)
})

test.each(['example.com', '10.0.0.0/33', '10.0.0/8', 'fd00::/129', '10.0.0.0/x'])('%p is no network', (text) => {
  expect(() => networks(text)).toThrow(ConfigError)
})
