import { expect, test } from 'bun:test'
import { systemEnv } from '../../sdk/env.ts'
import { canonical } from './canonical.ts'
import { seal, unseal } from './sealed.ts'

const answer = { headers: { 'x-request-id': 'req_1' }, body: 'Because of Rayleigh scattering. ☀' }

test('a sealed answer says nothing, and opens with its API key, in its place, undamaged', () => {
  const sealed = seal(systemEnv, 'gh_ada', 'place', answer)
  expect(Buffer.from(sealed, 'base64').toString('latin1')).not.toContain('Rayleigh')
  expect(unseal('gh_ada', 'place', sealed)).toEqual(answer)
  expect(() => unseal('gh_bob', 'place', sealed)).toThrow()
  expect(() => unseal('gh_ada', 'elsewhere', sealed)).toThrow()
  for (const at of [0, 12, 28, 40]) {
    const bytes = Buffer.from(sealed, 'base64')
    bytes[at]! ^= 1
    expect(() => unseal('gh_ada', 'place', bytes.toString('base64'))).toThrow()
  }
})

test('the same answer sealed twice is not the same text', () => {
  expect(seal(systemEnv, 'gh_ada', 'place', answer)).not.toBe(seal(systemEnv, 'gh_ada', 'place', answer))
})

test.each([
  ['{"b":1,"a":[1,2]}', ' { "a" : [ 1, 2.0 ],\n"b": 1e0 } '],
  ['{"a":{"d":null,"c":true}}', '{"a":{"c":true,"d":null}}'],
  ['"\\u00e9\\/"', '"é/"'],
])('%s and %s are the same', (one, other) => {
  expect(canonical(JSON.parse(one))).toBe(canonical(JSON.parse(other)))
})

test.each([
  ['[1,2]', '[2,1]'],
  ['{"a":1}', '{"a":"1"}'],
  ['{"a":null}', '{}'],
  ['{"a":"b\\",\\"c\\":\\"d"}', '{"a":"b","c":"d"}'],
])('%s and %s are not', (one, other) => {
  expect(canonical(JSON.parse(one))).not.toBe(canonical(JSON.parse(other)))
})
