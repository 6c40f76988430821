import { afterAll, beforeAll, expect, test } from 'bun:test'
import { encode, encodeBytes, mark } from '../../sdk/wire/vocabulary.ts'
import { words } from '../../sdk/wire/words.ts'
import type { TokenizerName } from '../catalog/records.ts'
import { type Answer, countAnswer, countPrompt, promptAtMost, promptIds } from './count.ts'
// Made with the Rust tokenizers 0.23.3 and Python's Jinja2, as engines use them.
import golden from './golden.json'
import { Meter, MeterBusyError } from './meter.ts'
import { type Chat, TemplateError } from './template.ts'
import { loadTokenizer } from './tokenizers.ts'

const real = ['qwen3', 'mistral-nemo'] as const
const all: TokenizerName[] = ['emulated', ...real]
const meter = new Meter()
// Loading takes half a second, and far longer on a busy machine.
beforeAll(() => meter.warm(all), 60_000)
afterAll(() => meter.close())

const answer = (content: string, more: Partial<Answer> = {}): Answer => ({
  content,
  reasoning: '',
  toolCalls: [],
  ids: null,
  claimed: null,
  ...more,
})

const prose = 'The price of a token is small, but many tokens make an answer: über 1,000 of them, 東京 👍 included.'

test('ids equal those of the reference tokenizers, for every script, emoji, space and mark', () => {
  for (const name of real) {
    const begin = name === 'mistral-nemo' ? [1] : []
    for (const [index, text] of golden.texts.entries())
      expect(promptIds(name, { kind: 'text', text })).toEqual([...begin, ...golden.ids[name][index]!])
    const counts = golden.fuzz.texts.map((text) => countPrompt(name, { kind: 'text', text }).tokens - begin.length)
    expect(counts).toEqual(golden.fuzz.counts[name])
    // And once more, from memory.
    for (const [index, text] of golden.fuzz.texts.entries())
      expect(countPrompt(name, { kind: 'text', text }).tokens - begin.length).toBe(counts[index]!)
  }
})

test('what was encoded comes back', () => {
  for (const name of all) {
    const tokenizer = loadTokenizer(name)
    for (const text of [...golden.texts, ...golden.fuzz.texts]) {
      const back = tokenizer.decode(tokenizer.encodeAnswer(text))
      expect([text, text.normalize('NFC')]).toContain(back)
    }
    expect(tokenizer.decode([2 ** 31, -1, 0.5])).toBe('')
    expect(tokenizer.decode(tokenizer.encodeAnswer('a\ud800'))).toBe('a\ufffd')
  }
})

const weather = {
  type: 'function' as const,
  function: {
    name: 'get_weather',
    description: 'Weather of a city',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string' }, days: { type: 'integer' } },
      required: ['city'],
    },
  },
}
const call = (id: string) => ({
  id,
  type: 'function' as const,
  function: { name: 'get_weather', arguments: '{"city":"Zürich","days":2}' },
})
const chats: Record<keyof (typeof golden.prompts)['qwen3'], Chat> = {
  'multi-turn': {
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: '<think>\nhm\n</think>\n\nHello!' },
      { role: 'user', content: '東京? 👍' },
    ],
  },
  tools: { messages: [{ role: 'user', content: 'Weather in Zürich?' }], tools: [weather] },
  'tool round': {
    messages: [
      { role: 'user', content: 'Weather?' },
      { role: 'assistant', content: null, tool_calls: [call('abcdef123')] },
      { role: 'tool', content: 'sunny', tool_call_id: 'abcdef123' },
    ],
    tools: [weather],
  },
}

test('conversations are rendered as engines render them, tools included', () => {
  for (const name of real)
    for (const [story, chat] of Object.entries(chats)) {
      const rendered = golden.prompts[name][story as keyof typeof chats]
      // Nemo's rendering begins with its own <s>; as plain text it would get a second one.
      const text = rendered.replace(/^<s>/, '')
      expect(promptIds(name, { kind: 'chat', chat })).toEqual(promptIds(name, { kind: 'text', text }))
    }
})

test('parts of a message count as one text, a developer as the system', () => {
  const parts = {
    role: 'user' as const,
    content: [
      { type: 'text' as const, text: 'Hi' },
      { type: 'text' as const, text: 'there' },
    ],
  }
  const chat = (...messages: Chat['messages']) => ({ kind: 'chat', chat: { messages } }) as const
  for (const name of all) {
    const joined = countPrompt(name, chat({ role: 'user', content: 'Hi\nthere' }))
    expect(countPrompt(name, chat(parts))).toEqual(joined)
    const system = countPrompt(name, chat({ role: 'system', content: 'Short.' }, { role: 'user', content: 'Hi' }))
    expect(countPrompt(name, chat({ role: 'developer', content: 'Short.' }, { role: 'user', content: 'Hi' }))).toEqual(
      system,
    )
  }
})

test('a model told not to think gets the empty thought its template writes for it', () => {
  const messages: Chat['messages'] = [{ role: 'user', content: 'Hi' }]
  const ask = (thinking?: boolean) => ({ kind: 'chat', chat: { messages, thinking } }) as const
  const prompt = (thinking?: boolean) => promptIds('qwen3', ask(thinking))
  expect(prompt(true)).toEqual(prompt())
  // <think>, a blank line, </think>, a blank line.
  expect(prompt(false)).toEqual([...prompt(), 151_667, 271, 151_668, 271])
  expect(countPrompt('qwen3', ask(false)).tokens).toBe(prompt(false).length)
})

test('call ids of any form are counted where a template wants nine letters', () => {
  const messages: Chat['messages'] = [
    { role: 'user', content: 'Weather?' },
    { role: 'assistant', content: null, tool_calls: [call('chatcmpl-tool-0123456789abcdef')] },
    { role: 'tool', content: 'sunny', tool_call_id: 'chatcmpl-tool-0123456789abcdef' },
  ]
  expect(countPrompt('mistral-nemo', { kind: 'chat', chat: { messages } }).tokens).toBeGreaterThan(20)
})

test('a conversation the template refuses is an error in its own words', () => {
  const messages = [1, 2].map(() => ({ role: 'user' as const, content: 'Hi' }))
  expect(() => countPrompt('mistral-nemo', { kind: 'chat', chat: { messages } })).toThrow(TemplateError)
  expect(() => countPrompt('mistral-nemo', { kind: 'chat', chat: { messages } })).toThrow(/must alternate/)
})

test('a mark in a prompt is one token, the same letters in an answer are several', () => {
  const marked = countPrompt('qwen3', { kind: 'text', text: '<|im_end|>' }).tokens
  expect(marked).toBe(1)
  expect(countAnswer('qwen3', answer('<|im_end|>')).hub).toBeGreaterThan(3)
  // Shown by engines although added: one token each.
  expect(countAnswer('qwen3', answer('<think></think>')).hub).toBe(2)
})

test('a count is the number of ids, whatever the text', () => {
  const pieces = [
    ...words.slice(0, 400),
    ' ',
    '\n',
    '  ',
    "'s",
    "'LL",
    '42',
    '_',
    'éa',
    'İ',
    'ﬁ',
    'e\u0301',
    '東京',
    '👍🏽',
    '<|im_end|>',
    '</think>',
    '\ud800',
  ]
  let state = 7
  const next = (below: number) => (state = (state * 48_271) % 2_147_483_647) % below
  for (let round = 0; round < 400; round++) {
    const text = Array.from({ length: next(30) }, () => (next(3) ? ' ' : '') + pieces[next(pieces.length)]).join('')
    for (const name of real) {
      const tokenizer = loadTokenizer(name)
      expect(tokenizer.countAnswer(text)).toBe(tokenizer.encodeAnswer(text).length)
      expect(countPrompt(name, { kind: 'text', text }).tokens).toBe(promptIds(name, { kind: 'text', text }).length)
    }
  }
})

test('a prompt of ids counts as it is', () => {
  for (const name of all) {
    expect(countPrompt(name, { kind: 'ids', ids: [5, 6, 7] })).toEqual({ tokens: 3 })
    expect(promptIds(name, { kind: 'ids', ids: [5, 6, 7] })).toEqual([5, 6, 7])
  }
})

test('an honest host is paid in full, with and without the mark that ends an answer', () => {
  for (const name of all) {
    const tokens = loadTokenizer(name).encodeAnswer(prose).length
    for (const claimed of [tokens, tokens + 1, null])
      expect(countAnswer(name, answer(prose, { claimed }))).toEqual({ completion: tokens, hub: tokens, flagged: false })
    expect(countAnswer(name, answer('', { claimed: 1 }))).toMatchObject({ completion: 0, flagged: false })
  }
})

test('inflating usage earns nothing, and a great deal of it is flagged', () => {
  const long = prose.repeat(40)
  for (const name of all) {
    const { hub } = countAnswer(name, answer(long))
    for (const factor of [1.01, 1.02, 1.5, 2, 10, 100]) {
      const count = countAnswer(name, answer(long, { claimed: Math.floor(hub * factor) }))
      expect(count).toMatchObject({ completion: hub, hub, flagged: factor > 1.01 })
    }
  }
})

test('a word that a stop string cuts is billed as the token it was said in, whatever its host claims', () => {
  const ids = encode('the weather')
  const cut = answer('the weath', { ids })
  expect(encode(cut.content).length).toBeGreaterThan(ids.length)
  for (const claimed of [null, ids.length, 50])
    expect(countAnswer('emulated', { ...cut, claimed })).toMatchObject({ completion: ids.length, hub: ids.length })
  // Without ids there is the text alone.
  expect(countAnswer('emulated', { ...cut, ids: null, claimed: 50 }).completion).toBe(encode(cut.content).length)
})

test('a count that is no count is not believed', () => {
  for (const claimed of [-5, Number.NaN, 0.5, Number.POSITIVE_INFINITY, 2 ** 60]) {
    const { completion, hub, flagged } = countAnswer('qwen3', answer(prose, { claimed }))
    expect({ completion, flagged }).toEqual({ completion: hub, flagged: true })
  }
})

test('a host that claims less gets less', () => {
  const { hub } = countAnswer('qwen3', answer(prose))
  expect(countAnswer('qwen3', answer(prose, { claimed: hub - 5 }))).toEqual({ completion: hub - 5, hub, flagged: true })
})

test('ids letter by letter earn nothing', () => {
  for (const name of all) {
    const tokenizer = loadTokenizer(name)
    const ids =
      name === 'emulated' ? encodeBytes(prose) : Array.from(prose, (letter) => tokenizer.encodeAnswer(letter)).flat()
    const { hub } = countAnswer(name, answer(prose))
    expect(ids.length).toBeGreaterThan(hub * 1.5)
    const count = countAnswer(name, answer(prose, { ids, claimed: ids.length }))
    expect(count).toEqual({ completion: hub, hub, flagged: true })
    const thought = answer(prose, { reasoning: prose, ids: [...ids, ...ids], claimed: ids.length * 2 })
    expect(countAnswer(name, thought).completion).toBeLessThanOrEqual(hub * 2)
  }
})

test('text is counted whole: its chunks would add up to more', () => {
  for (const name of all) {
    const chunks = prose.match(/.{1,3}/gsu)!
    const { hub } = countAnswer(name, answer(chunks.join('')))
    const sum = chunks.reduce((tokens, chunk) => tokens + countAnswer(name, answer(chunk)).hub, 0)
    expect(sum).toBeGreaterThan(hub)
    expect(hub).toBe(loadTokenizer(name).encodeAnswer(prose).length)
  }
})

const toolCalls = [{ name: 'get_weather', arguments: '{"city": "Zürich"}' }]
const rawCall = '<tool_call>\n{"name": "get_weather", "arguments": {"city":"Zürich"}}\n</tool_call>'

test('a tool call counts with the markup the model wrote around it', () => {
  for (const name of all) {
    const ids = loadTokenizer(name).encodeAnswer(rawCall)
    const count = countAnswer(name, answer('', { toolCalls, ids, claimed: ids.length + 1 }))
    expect(count).toEqual({ completion: ids.length, hub: ids.length, flagged: false })
    const visible = countAnswer(name, answer('', { toolCalls })).hub
    expect(visible).toBeLessThan(ids.length)
  }
})

test('ids that do not say what the client saw count for nothing', () => {
  const ids = loadTokenizer('qwen3').encodeAnswer(rawCall.replace('Zürich', 'Paris') + prose.repeat(5))
  const visible = countAnswer('qwen3', answer('', { toolCalls })).hub
  expect(countAnswer('qwen3', answer('', { toolCalls, ids, claimed: ids.length }))).toMatchObject({
    completion: visible,
    flagged: true,
  })
})

test('tokens nobody was shown are not paid, whatever the ids say', () => {
  const ids = loadTokenizer('qwen3').encodeAnswer(rawCall + prose.repeat(50))
  const visible = countAnswer('qwen3', answer('', { toolCalls })).hub
  const { completion, flagged } = countAnswer('qwen3', answer('', { toolCalls, ids, claimed: ids.length }))
  expect(completion).toBeLessThan(visible + 60)
  expect(flagged).toBe(true)
})

test('thinking aloud counts with its markup', () => {
  const ids = loadTokenizer('qwen3').encodeAnswer(`<think>\n${prose}\n</think>\n\n${prose}`)
  const count = countAnswer('qwen3', answer(prose, { reasoning: prose, ids, claimed: ids.length + 1 }))
  expect(count).toEqual({ completion: ids.length, hub: ids.length, flagged: false })
})

test('marks that an engine without ids does not show are neither billed nor held against it', () => {
  const visible = 2 * loadTokenizer('qwen3').encodeAnswer(prose).length
  const said = (claimed: number) => countAnswer('qwen3', answer(prose, { reasoning: prose, claimed }))
  expect(said(visible + 4)).toEqual({ completion: visible, hub: visible, flagged: false })
  expect(said(visible + 60)).toEqual({ completion: visible, hub: visible, flagged: true })
})

test('the quick bound is never too low', () => {
  const texts = [...golden.texts, ...golden.fuzz.texts, '\u0344'.repeat(50), '👩‍👩‍👧‍👦'.repeat(50)]
  for (const name of all) {
    for (const text of texts) {
      const prompt = { kind: 'text', text } as const
      expect(promptAtMost(prompt)).toBeGreaterThanOrEqual(countPrompt(name, prompt).tokens)
    }
    for (const chat of Object.values(chats)) {
      const prompt = { kind: 'chat', chat } as const
      expect(promptAtMost(prompt)).toBeGreaterThanOrEqual(countPrompt(name, prompt).tokens)
    }
  }
})

test('large texts are counted by the worker, and equally', async () => {
  const text = `${prose} `.repeat(300)
  for (const name of all) {
    const here = countPrompt(name, { kind: 'text', text })
    const there = meter.countPrompt(name, { kind: 'text', text })
    expect(there).toBeInstanceOf(Promise)
    expect(await there).toEqual(here)
    expect(await meter.countAnswer(name, answer(text))).toEqual(countAnswer(name, answer(text)))
  }
  const messages = [1, 2].map(() => ({ role: 'user' as const, content: text }))
  const refused = await Promise.resolve(meter.countPrompt('mistral-nemo', { kind: 'chat', chat: { messages } })).catch(
    (error: unknown) => error,
  )
  expect(refused).toBeInstanceOf(TemplateError)
  expect(meter.countPrompt('qwen3', { kind: 'text', text: prose })).toMatchObject({ tokens: expect.any(Number) })
  // The worker loads three vocabularies of its own, which takes long on a busy machine.
}, 60_000)

test('too many large texts at once are refused before they pile up', async () => {
  const busy = new Meter()
  const text = 'word '.repeat(4_000)
  const counts = Array.from({ length: 64 }, async () => busy.countPrompt('emulated', { kind: 'text', text }))
  expect(() => busy.countPrompt('emulated', { kind: 'text', text })).toThrow(MeterBusyError)
  // What has been answered is counted all the same.
  expect(busy.countAnswer('emulated', answer(text))).toMatchObject({ completion: encode(text).length })
  expect(
    (await Promise.all(counts)).every(
      (count) => count.tokens === countPrompt('emulated', { kind: 'text', text }).tokens,
    ),
  ).toBe(true)
  expect(await busy.countPrompt('emulated', { kind: 'text', text })).toHaveProperty('tokens')
  const lost = Promise.resolve(busy.countPrompt('emulated', { kind: 'text', text })).catch(
    (error: Error) => error.message,
  )
  busy.close()
  expect(await lost).toBe('the hub is stopping')
})

test('a word without end costs no more than it is long', async () => {
  const text = 'a'.repeat(200_000)
  expect(await meter.countAnswer('qwen3', answer(text))).toMatchObject({ hub: 25_000 })
}, 60_000)

test('the emulated model is counted by the vocabulary it speaks', () => {
  const ids = promptIds('emulated', { kind: 'chat', chat: { messages: [{ role: 'user', content: 'Hi' }] } })
  expect(ids).toEqual([mark.start, mark.user, ...encode('Hi'), mark.end, mark.assistant])
})
