import { expect, test } from 'bun:test'
import { Value } from '@sinclair/typebox/value'
import type * as account from './account.ts'
import type * as api from './api.ts'
import * as schemas from './api.ts'
import type * as chat from './chat.ts'
import type * as completions from './completions.ts'
import type * as openai from './openai.ts'
import type * as receipts from './receipts.ts'

// The published interfaces are written by hand, so that nobody needs TypeBox to use them. The compiler holds them
// equal to the schemas: a line below does not compile when one side has a field, a value or a null the other lacks.

/** Deep, with intersections merged, so that only meaning is compared. */
type Plain<T> = T extends readonly (infer Item)[]
  ? Plain<Item>[]
  : T extends object
    ? { [K in keyof T]: Plain<T[K]> }
    : T
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
type Equal<A, B> = Same<Plain<A>, Plain<B>>

const equal: {
  message: Equal<chat.ChatMessage, openai.ChatMessage>
  chat: Equal<chat.ChatRequest, openai.ChatRequest>
  completion: Equal<completions.CompletionRequest, openai.CompletionRequest>
  me: Equal<account.Me, api.Me>
  balance: Equal<account.Balance, api.Balance>
  pageQuery: Equal<account.PageQuery, api.PageQuery>
  usageQuery: Equal<account.UsageQuery, api.UsageQuery>
  usageRow: Equal<account.UsageRow, api.UsageRow>
  receipt: Equal<receipts.Receipt, api.Receipt>
  receiptKey: Equal<receipts.ReceiptKey, api.ReceiptKey>
  price: Equal<account.VariantPrice, api.VariantPrice>
  key: Equal<account.Key, api.Key>
  newKey: Equal<Parameters<account.Keys['create']>[0], api.NewKey>
  createdKey: Equal<account.CreatedKey, api.CreatedKey>
  deletedKey: Equal<account.DeletedKey, api.DeletedKey>
  licence: Equal<account.Licence, api.Licence>
  acknowledgement: Equal<NonNullable<Parameters<account.Licences['acknowledge']>[1]>, api.Acknowledgement>
} = {
  message: true,
  chat: true,
  completion: true,
  me: true,
  balance: true,
  pageQuery: true,
  usageQuery: true,
  usageRow: true,
  receipt: true,
  receiptKey: true,
  price: true,
  key: true,
  newKey: true,
  createdKey: true,
  deletedKey: true,
  licence: true,
  acknowledgement: true,
}

// What the comparison must notice, or the lines above prove nothing.
const different: {
  field: Equal<{ a: string }, { a: string; b: string }>
  optionalField: Equal<{ a: string }, { a: string; b?: string }>
  optional: Equal<{ a: string }, { a?: string }>
  nullable: Equal<{ a: { b: string }[] }, { a: { b: string | null }[] }>
  literal: Equal<'a' | 'b', 'a'>
} = { field: false, optionalField: false, optional: false, nullable: false, literal: false }

test('published interfaces are equal to the schemas', () => {
  expect(new Set(Object.values(equal))).toEqual(new Set([true]))
  expect(new Set(Object.values(different))).toEqual(new Set([false]))
})

test('a page of a schema takes its rows and refuses others', () => {
  const row = { id: 'sig_1', algorithm: 'ed25519', publicKey: 'a'.repeat(44) }
  expect(Value.Check(schemas.ReceiptKeyPage, { data: [row], next: null })).toBe(true)
  expect(Value.Check(schemas.ReceiptKeyPage, { data: [row], next: 'cursor' })).toBe(true)
  expect(Value.Check(schemas.ReceiptKeyPage, { data: [{ ...row, algorithm: 'rsa' }], next: null })).toBe(false)
  expect(Value.Check(schemas.ReceiptKeyPage, { data: [row] })).toBe(false)
})

test.each([
  ['0.00', true],
  ['-0.01', true],
  ['12345.000000001', true],
  ['1', false],
  ['$1.00', false],
  ['1e-9', false],
])('%p as USD: %p', (cost, good) => {
  expect(Value.Check(schemas.UsageRow.properties.cost, cost)).toBe(good)
})

test.each([
  [{}, true],
  [{ group: 'key', limit: 200, before: 'x', from: '2026-11-01' }, true],
  [{ group: 'hour' }, false],
  [{ limit: 0 }, false],
  [{ limit: 201 }, false],
])('the usage query %p: %p', (query, good) => {
  expect(Value.Check(schemas.UsageQuery, query)).toBe(good)
})
