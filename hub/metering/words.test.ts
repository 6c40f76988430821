import { expect, test } from 'bun:test'
import { LONGEST_WORD, Words } from './words.ts'

test('a word is found wherever it stands, and only it', () => {
  const words = new Words()
  words.remember(' the', [279])
  words.remember('ther', [700, 81])
  const text = 'say the other'
  const the = words.find(text, 3, 7)
  const ids: number[] = []
  words.pushIds(the, ids)
  expect(ids).toEqual([279])
  words.pushIds(words.find(text, 9, 13), ids)
  expect(ids).toEqual([279, 700, 81])
  expect(words.tokens(words.find(text, 9, 13))).toBe(2)
  expect([words.find(text, 4, 7), words.find(text, 3, 8), words.find(text, 0, 3)]).toEqual([-1, -1, -1])
})

test('longer words are not remembered', () => {
  const words = new Words()
  const long = 'x'.repeat(LONGEST_WORD + 1)
  words.remember(long, [1])
  expect(words.find(long, 0, long.length)).toBe(-1)
})

test('when it is full it starts anew, and still tells right from wrong', () => {
  const words = new Words()
  for (let i = 0; i < 120_000; i++) words.remember(`word${i}`, [i])
  let found = 0
  for (let i = 0; i < 120_000; i++) {
    const text = `word${i}`
    const word = words.find(text, 0, text.length)
    if (word < 0) continue
    const ids: number[] = []
    words.pushIds(word, ids)
    if (ids[0] === i) found++
    else throw new Error(`${text} has another's ids`)
  }
  expect(found).toBeGreaterThan(1_000)
  expect(words.find('never', 0, 5)).toBe(-1)
})
