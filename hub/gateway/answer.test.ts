import { describe, expect, test } from 'bun:test'
import { decode, encode, encodeBytes } from '../../sdk/wire/vocabulary.ts'
import { Answer, MOST_KEPT_BYTES } from './answer.ts'
import { EngineError, type Piece } from './engine.ts'
import type { Traits } from './traits.ts'

const plain: Traits = { chat: true, several: false, logprobs: false, structured: false, tools: false, stops: [] }

function world(
  options: { maxTokens?: number; traits?: Partial<Traits>; whole?: boolean; readsThoughts?: boolean } = {},
) {
  const passed: Piece[] = []
  let counted = 0
  let large = 0
  const answer = new Answer({
    n: 1,
    maxTokens: options.maxTokens ?? 1_000,
    traits: { ...plain, ...options.traits },
    readsThoughts: options.readsThoughts ?? true,
    whole: options.whole ?? false,
    failover: true,
    count(text, most) {
      counted++
      const ids = encode(text)
      return { tokens: ids.length, text: ids.length <= most ? text : decode(ids.slice(0, most)) }
    },
    pass: (piece) => void passed.push(piece),
    tooLarge: () => void large++,
  })
  const say = (more: Partial<Piece>) =>
    answer.take({
      index: 0,
      content: '',
      reasoning: '',
      toolCalls: null,
      logprobs: null,
      ids: null,
      finish: null,
      ...more,
    })
  return {
    answer,
    say,
    text: () => passed.map((piece) => piece.content).join(''),
    passed,
    counts: () => counted,
    large: () => large,
  }
}

const words = 'one two three four five six seven eight nine ten'
const tokens = encode(words)

describe('the limit of an answer', () => {
  const says: [string, (id: number) => Partial<Piece>][] = [
    ['its ids', (id) => ({ content: decode([id]), ids: [id] })],
    ['no ids', (id) => ({ content: decode([id]) })],
    ['an id for every byte', (id) => ({ content: decode([id]), ids: encodeBytes(decode([id])) })],
    ['one id for everything', (id) => ({ content: decode([id]), ids: [300] })],
  ]
  test.each(says)('is where the hub’s own count says, when a host reports %s', (_, piece) => {
    const { answer, say, text } = world({ maxTokens: 7 })
    for (const id of tokens) if (!answer.finished) say(piece(id))
    expect(text()).toBe(decode(tokens.slice(0, 7)))
    expect([answer.choices[0]?.finish, answer.cut]).toEqual(['length', true])
  })

  test('is kept where a character is several tokens', () => {
    const { answer, say, text } = world({ maxTokens: 7 })
    for (let i = 0; i < 20 && !answer.finished; i++) say({ content: '漢' })
    expect(encode('漢').length).toBe(3)
    expect([text(), answer.choices[0]?.finish]).toEqual(['漢漢', 'length'])
  })

  test('is kept in the middle of a piece, and for thoughts and calls too', () => {
    const one = world({ maxTokens: 7 })
    one.say({ content: words, ids: tokens })
    expect([one.text(), one.answer.cut]).toEqual([decode(tokens.slice(0, 7)), true])
    const thoughts = world({ maxTokens: 7 })
    thoughts.say({ reasoning: decode(tokens.slice(0, 6)) })
    thoughts.say({ content: words })
    expect(thoughts.text()).toBe(decode(tokens.slice(0, 1)))
    const calls = world({ maxTokens: 7 })
    calls.say({ toolCalls: [{ index: 0, id: 'a', function: { name: 'f', arguments: words } }] })
    expect([calls.answer.choices[0]?.finish, calls.passed[0]?.toolCalls]).toEqual(['length', null])
  })

  test('costs an honest host no counting at all', () => {
    const { answer, say, counts } = world({ maxTokens: tokens.length })
    for (const id of tokens) say({ content: decode([id]), ids: [id] })
    say({ finish: 'length' })
    expect([answer.choices[0]?.content, counts()]).toEqual([words, 0])
  })

  test('costs little counting when a host reports nothing, or nonsense', () => {
    const long = Array.from({ length: 200 }, () => tokens).flat()
    for (const [, piece] of says.slice(1)) {
      const { say, counts } = world({ maxTokens: long.length })
      for (const id of long) say(piece(id))
      expect(counts()).toBeLessThan(60)
    }
  })
})

describe('what is held back', () => {
  const call = (json: string, name?: string) => ({
    toolCalls: [{ index: 0, ...(name ? { id: 'a' } : {}), function: { ...(name ? { name } : {}), arguments: json } }],
  })

  test('is passed on in one piece when the answer is complete', () => {
    const { say, passed } = world()
    say({ content: 'Let me see.', ids: [300] })
    say(call('{"a"', 'f'))
    say(call(':1}'))
    expect(passed).toHaveLength(1)
    say({ finish: 'tool_calls' })
    expect(passed.slice(1)).toMatchObject([
      {
        content: '',
        toolCalls: [{ index: 0, id: 'a', function: { name: 'f', arguments: '{"a":1}' } }],
        finish: 'tool_calls',
      },
    ])
  })

  test('is forgotten when its host is lost, and what was passed on is not', () => {
    const { answer, say } = world()
    say({ content: 'Let me see.', ids: [300] })
    say({ ...call('{"a"', 'f'), ids: [301] })
    say({ content: 'and then', ids: [302] })
    answer.lost()
    expect(answer.choices[0]).toMatchObject({ content: 'Let me see.', toolCalls: [], ids: [300] })
    answer.goOn({ text: 'Let me see.', ids: [300], tokens: 1 })
    say({ ...call('{}', 'g'), finish: 'tool_calls' })
    expect(answer.choices[0]?.toolCalls).toEqual([{ id: 'a', name: 'g', arguments: '{}' }])
  })

  test('are thoughts that no other host could go on with, until the answer begins', () => {
    const { say, passed } = world({ readsThoughts: false })
    say({ reasoning: 'hm' })
    say({ reasoning: ' so' })
    expect(passed).toHaveLength(0)
    say({ content: 'Yes' })
    say({ content: '.' })
    expect(passed).toMatchObject([{ reasoning: 'hm so', content: 'Yes' }, { content: '.' }])
  })

  test('is nothing where the client waits for the whole anyway', () => {
    const { answer, say, passed } = world({ whole: true, traits: { structured: true } })
    say({ content: '{' })
    expect([passed.length, answer.visible]).toEqual([1, false])
  })

  test('a call without a name is garbage', () => {
    const { say } = world()
    say({ toolCalls: [{ index: 1, id: 'a', function: { name: 'f', arguments: '{}' } }] })
    expect(() => say({ finish: 'tool_calls' })).toThrow(EngineError)
  })
})

describe('what is kept for another host', () => {
  const chars = 1_024
  const page = { content: 'x'.repeat(chars), ids: Array.from({ length: 256 }, () => 300) }
  const pages = Math.floor(MOST_KEPT_BYTES / (chars * 2 + 256 * 8))

  test('is let go beyond its limit, and said once', () => {
    const { answer, say, large } = world({ maxTokens: 1_000_000 })
    for (let page_ = 0; page_ < pages; page_++) say(page)
    expect([answer.kept, large()]).toEqual([true, 0])
    for (let more = 0; more < 3; more++) say(page)
    expect([answer.kept, answer.choices[0]?.ids, large()]).toEqual([false, null, 1])
    expect(answer.choices[0]?.content.length).toBe((pages + 3) * chars)
  })

  test('beyond it nothing is held back any longer', () => {
    const { answer, say, passed } = world({ maxTokens: 1_000_000, traits: { structured: true } })
    for (let page_ = 0; page_ < pages; page_++) say(page)
    expect([passed.length, answer.visible]).toEqual([0, false])
    say(page)
    say({ content: 'y' })
    expect(passed.map(({ content }) => content.length)).toEqual([(pages + 1) * chars, 1])
  })
})

test('a piece that never reached the client is taken back', () => {
  const { answer, say, passed } = world()
  say({ content: 'one', ids: [300] })
  say({ content: ' two', ids: [301, 302] })
  answer.onlyPassed()
  answer.forget(passed[1]!)
  expect(answer.choices[0]).toMatchObject({ content: 'one', ids: [300] })
})

test('where another host went on stays known, whatever it says then', () => {
  const { answer, say } = world()
  say({ content: 'Let me', ids: [300] })
  answer.lost()
  const said = { text: 'Let me', ids: [300], tokens: 1 }
  answer.goOn(said)
  // Half a character: nothing to be seen of it.
  say({ ids: [246] })
  expect([answer.choices[0]!.ids, said.ids]).toEqual([[300, 246], [300]])
})
