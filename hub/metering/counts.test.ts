import { expect, test } from 'bun:test'
import { Counts } from './counts.ts'

const long = (letter: string) => letter.repeat(1_000)

test('a text is counted once, until much else was counted since', () => {
  const counts = new Counts()
  const asked: string[] = []
  const count = (text: string) =>
    counts.count(text, text, () => {
      asked.push(text[0]!)
      return text.length / 4
    })
  expect([count(long('a')), count(long('a')), count(long('b')), count(long('a'))]).toEqual([250, 250, 250, 250])
  expect(asked).toEqual(['a', 'b'])
  // Eight million characters: more than are remembered.
  const much = (from: number) => {
    for (let i = 0; i < 85; i++) count(String.fromCharCode(0x4e00 + from + i).repeat(50_000))
  }
  much(0)
  expect(count(long('a'))).toBe(250)
  much(100)
  much(200)
  asked.length = 0
  expect(count(long('a'))).toBe(250)
  expect(asked).toEqual(['a'])
})

test('a short text is counted each time', () => {
  const counts = new Counts()
  let asked = 0
  for (let i = 0; i < 3; i++) counts.count('hello', 'hello', () => ++asked)
  expect(asked).toBe(3)
})
