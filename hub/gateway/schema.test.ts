import { expect, test } from 'bun:test'
import type { HubError } from '../errors.ts'
import { assertSound } from './schema.ts'

const fault = (schema: unknown): string | null => {
  try {
    assertSound(schema, 'schema')
    return null
  } catch (error) {
    return (error as HubError).param
  }
}
const deep = (levels: number, inner: unknown): unknown =>
  Array.from({ length: levels }).reduce((schema) => ({ type: 'array', items: schema }), inner)

test.each([
  [{}],
  [true],
  [{ type: 'object', properties: { type: { type: 'string' }, pattern: { type: ['string', 'null'] } } }],
  [{ type: 'string', pattern: '^[a-z]{2,4}$' }],
  [{ enum: [{ type: 'wizard', pattern: '[' }], default: { pattern: 7 }, examples: [[]] }],
  [{ anyOf: [{ type: 'integer' }, { $ref: '#/$defs/x' }], $defs: { x: { not: { const: 1 } } } }],
  [{ items: [{ type: 'string' }, { type: 'number' }], additionalItems: false }],
  [deep(30, { type: 'string' })],
])('sound: %#', (schema) => {
  expect(fault(schema)).toBeNull()
})

test.each([
  [7, 'schema'],
  [[], 'schema'],
  [{ type: 'wizard' }, 'schema.type'],
  [{ type: 5 }, 'schema.type'],
  [{ type: [['string']] }, 'schema.type'],
  [{ type: 'string', pattern: '[' }, 'schema.pattern'],
  [{ type: 'string', pattern: 7 }, 'schema.pattern'],
  [{ type: 'string', pattern: '(a+)+'.repeat(300) }, 'schema.pattern'],
  [{ properties: { a: { items: { type: 'string', pattern: '*' } } } }, 'schema.properties.a.items.pattern'],
  [{ properties: { a: 'string' } }, 'schema.properties.a'],
  [{ anyOf: [{ type: 'string' }, { type: 'wizard' }] }, 'schema.anyOf.1.type'],
  [{ patternProperties: { '(': {} } }, 'schema.patternProperties'],
  [{ $defs: { x: { not: { type: 'wizard' } } } }, 'schema.$defs.x.not.type'],
  [{ enum: ['x'.repeat(600_000)] }, 'schema'],
])('not sound: %#', (schema, param) => {
  expect(fault(schema)).toBe(param)
})
