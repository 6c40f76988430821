import { describe, expect, test } from 'bun:test'
import type { RawForm } from '../catalog/records.ts'
import { EngineError, type Piece } from './engine.ts'
import { RawReader, rawText } from './raw.ts'

const form: RawForm = {
  thought: { open: '<think>\n', close: '\n</think>\n\n' },
  call: { open: '<tool_call>\n', close: '\n</tool_call>' },
}

const piece = (content: string, finish: Piece['finish'] = null): Piece => ({
  ...{ index: 0, content, reasoning: '', toolCalls: null, logprobs: null, ids: [1], finish },
})

interface Start {
  begun?: string
  ahead?: string
  thinking?: boolean
  tools?: boolean
}

/** Reads `raw` in parts of `size` characters. */
function read(
  raw: string,
  size: number,
  { begun = '', ahead = '', thinking = false, tools = true }: Start = {},
  finish: Piece['finish'] = 'stop',
) {
  const reader = new RawReader(form, { begun, ahead, thinking, tools, nameCall: (index) => `call_${index}` })
  const heard = { reasoning: '', content: '', calls: [] as unknown[], finish: null as Piece['finish'] }
  for (let at = 0; at < raw.length || at === 0; at += size) {
    const last = at + size >= raw.length
    const read = reader.read(piece(raw.slice(at, at + size), last ? finish : null))
    heard.reasoning += read.reasoning
    heard.content += read.content
    heard.calls.push(...(read.toolCalls ?? []))
    heard.finish = read.finish
  }
  return heard
}

const call = (index: number, name: string, json: string) => ({
  index,
  id: `call_${index}`,
  type: 'function',
  function: { name, arguments: json },
})

describe.each([1, 2, 3, 7, 1_000])('raw output in parts of %d characters', (size) => {
  test.each<[string, string, Start, object]>([
    ['an answer', 'It is 5 < 6, and <b>so</b> on.', {}, { content: 'It is 5 < 6, and <b>so</b> on.' }],
    [
      'the end of a thought',
      ' and so on.\n</think>\n\nYes.',
      { thinking: true },
      { reasoning: ' and so on.', content: 'Yes.' },
    ],
    ['what was held back of a thought', 'on.', { thinking: true, ahead: 'questi' }, { reasoning: 'question.' }],
    ['a mark of which half was held back', 'nk>\n\nYes.', { thinking: true, ahead: '\n</thi' }, { content: 'Yes.' }],
    ['a thought that never ends', ' and < so', { thinking: true }, { reasoning: ' and < so' }],
    ['white space between thought and answer', '\n\nYes.', { begun: '<think>\nx\n</think>\n\n' }, { content: 'Yes.' }],
    ['white space in an answer', '\n\nYes.', { begun: '<think>\nx\n</think>\n\nWell.' }, { content: '\n\nYes.' }],
    [
      'a call after words',
      'Let me see.\n<tool_call>\n{"name": "f", "arguments": {"a": [1]}}\n</tool_call>',
      {},
      { content: 'Let me see.\n', calls: [call(0, 'f', '{"a":[1]}')], finish: 'tool_calls' },
    ],
    [
      'two calls after a thought',
      'so\n</think>\n\n<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>\n<tool_call>\n{"name": "g"}\n</tool_call>',
      { thinking: true },
      { reasoning: 'so', calls: [call(0, 'f', '{}'), call(1, 'g', '{}')], finish: 'tool_calls' },
    ],
    ['what looks like a call where no tools are', '<tool_call>', { tools: false }, { content: '<tool_call>' }],
    ['what only begins like a mark', 'a <tool_cal b <', {}, { content: 'a <tool_cal b <' }],
  ])('%s', (_, raw, start, expected) => {
    expect(read(raw, size, start)).toMatchObject({ reasoning: '', content: '', calls: [], finish: 'stop', ...expected })
  })

  test('a call that is none is the engine’s fault, unless the answer was cut short', () => {
    const bad = 'x<tool_call>\n{"name": "f", "argu'
    expect(() => read(bad, size)).toThrow(EngineError)
    expect(read(bad, size, {}, 'length')).toMatchObject({ content: 'x', calls: [], finish: 'length' })
  })
})

test('the text an answer’s tokens say', () => {
  expect(rawText(form, { reasoning: '', content: 'Yes.' })).toBe('Yes.')
  expect(rawText(form, { reasoning: 'so', content: '' })).toBe('<think>\nso')
  expect(rawText(form, { reasoning: '\nso\n', content: '\n\nYes.' })).toBe('<think>\nso\n</think>\n\nYes.')
  expect(rawText(null, { reasoning: 'so', content: 'Yes.' })).toBe('Yes.')
})
