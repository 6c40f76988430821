import { expect, test } from 'bun:test'
import { oracle } from '../host/testing.ts'
import { decode } from '../sdk/wire/vocabulary.ts'
import { Dice } from './dice.ts'
import { conductOf, planIn, question } from './question.ts'

const LOSSES = { host: 1, reset: 1, hang: 1 }
const MANY = 150

const asked = (seed: number, count = MANY) => {
  const dice = new Dice(seed)
  return Array.from({ length: count }, (_, at) => question(at, dice, { tools: 20, json: 10, losses: LOSSES }))
}

test('the same seed asks the same questions, another one others', () => {
  expect(JSON.stringify(asked(1, 20))).toBe(JSON.stringify(asked(1, 20)))
  expect(JSON.stringify(asked(1, 20))).not.toBe(JSON.stringify(asked(2, 20)))
})

test('plans stand in the prompt as the engine sees it, and end before the answer does', () => {
  const questions = asked(3)
  for (const { number, plan, body, truth } of questions) {
    expect(planIn(decode(truth.prompt))).toEqual({ number, plan: plan! })
    expect(plan!.afterTokens).toBeLessThanOrEqual(truth.ids.length)
    expect(truth.text).toBe(oracle(body).text)
  }
  const after = questions.map(({ plan }) => plan!.afterTokens)
  const atTheEnd = questions.filter(({ plan, truth }) => plan!.afterTokens >= truth.ids.length - 1)
  expect([after.includes(0), after.includes(1), atTheEnd.length > 3]).toEqual([true, true, true])
})

test('the mix is what was asked for', () => {
  const questions = asked(4)
  const share = (form: string) => questions.filter((each) => each.form === form).length / MANY
  expect(share('tools')).toBeWithin(0.1, 0.3)
  expect(share('json')).toBeWithin(0.03, 0.2)
  expect(questions.some(({ truth }) => truth.toolCalls.length > 1)).toBe(true)
  for (const loss of Object.keys(LOSSES)) expect(questions.some(({ plan }) => plan?.loss === loss)).toBe(true)
})

test.each([
  ['reset', { death: { afterTokens: 7, how: 'cut' } }],
  ['eof', { death: { afterTokens: 7, how: 'eof' } }],
  ['error', { death: { afterTokens: 7, how: 'error' } }],
  ['garbage', { garbageAfterTokens: 7 }],
  ['hang', { hangAfterTokens: 7 }],
  ['host', { hangAfterTokens: 7 }],
] as const)('an engine that plans "%s" behaves so', (loss, conduct) => {
  expect(conductOf({ loss, afterTokens: 7 })).toEqual(conduct)
})
