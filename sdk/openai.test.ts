import { describe, expect, test } from 'bun:test'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { ChatRequest, CompletionRequest, limits } from './openai.ts'

const chat = TypeCompiler.Compile(ChatRequest)
const completion = TypeCompiler.Compile(CompletionRequest)
const question = { model: 'test/echo', messages: [{ role: 'user', content: 'Hello!' }] }
const tool = { type: 'function', function: { name: 'weather', parameters: { type: 'object' } } }
const called = { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{}' } }

describe('a chat request', () => {
  test.each<[string, object]>([
    ['the least', {}],
    ['fields nobody knows', { store: true, metadata: { a: 1 }, vllm_xargs: {} }],
    ['nulls, as some clients send for defaults', { temperature: null, stop: null, tools: null, stream_options: null }],
    ['text in parts', { messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi', cache_control: {} }] }] }],
    ['a developer message', { messages: [{ role: 'developer', content: 'Be brief.' }, ...question.messages] }],
    [
      'a conversation with a tool',
      {
        messages: [
          ...question.messages,
          { role: 'assistant', content: null, tool_calls: [called] },
          { role: 'tool', content: 'Sunny.', tool_call_id: 'call_1' },
        ],
        tools: [tool],
        tool_choice: { type: 'function', function: { name: 'weather' } },
      },
    ],
    [
      'a schema for the answer',
      { response_format: { type: 'json_schema', json_schema: { name: 'a', strict: true, schema: { $schema: 'x' } } } },
    ],
    ['a bias', { logit_bias: { 50256: -100, 1: 0.5 } }],
    ['a stop string, and a list of them', { stop: ['a', 'b'] }],
  ])('may have %s', (_, more) => {
    expect(chat.Check({ ...question, ...more })).toBe(true)
  })

  test.each<[string, object]>([
    ['no message', { messages: [] }],
    ['too many messages', { messages: Array(limits.messages + 1).fill(question.messages[0]) }],
    ['a role of its own', { messages: [{ role: 'function', content: 'x' }] }],
    ['an image', { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'http://x' } }] }] }],
    ['a user message without content', { messages: [{ role: 'user', content: null }] }],
    ['a tool message for no call', { messages: [{ role: 'tool', content: 'x' }] }],
    ['an empty model', { model: '' }],
    ['a temperature in words', { temperature: 'warm' }],
    ['a temperature out of range', { temperature: 2.1 }],
    ['a temperature that is not a number', { temperature: Number.NaN }],
    ['more answers than allowed', { n: limits.n + 1 }],
    ['no token to write', { max_tokens: 0 }],
    ['part of a token', { max_tokens: 1.5 }],
    ['too many stop strings', { stop: Array(limits.stops + 1).fill('x') }],
    ['a long stop string', { stop: 'x'.repeat(limits.stopChars + 1) }],
    ['a bias out of range', { logit_bias: { 1: 101 } }],
    ['a bias for something that is no token', { logit_bias: { x: 1 } }],
    ['a bias that smuggles', { logit_bias: { 1: 5, x: { any: 'thing' } } }],
    ['too many biases', { logit_bias: Object.fromEntries(Array.from({ length: 1_025 }, (_, i) => [i, 1])) }],
    ['too many tools', { tools: Array(limits.tools + 1).fill(tool) }],
    ['a tool with an odd name', { tools: [{ type: 'function', function: { name: 'a b' } }] }],
  ])('may not have %s', (_, more) => {
    expect(chat.Check({ ...question, ...more })).toBe(false)
  })
})

describe('a completion request', () => {
  test.each<[unknown, boolean]>([
    ['Once', true],
    ['', true],
    [[1, 2, 3], true],
    [[], false],
    [[-1], false],
    [[1.5], false],
    [['Once', 'Twice'], false],
    [[[1], [2]], false],
    [null, false],
  ])('with the prompt %p: %p', (prompt, good) => {
    expect(completion.Check({ model: 'test/echo', prompt })).toBe(good)
  })

  test('never echoes', () => {
    expect(completion.Check({ model: 'test/echo', prompt: 'Once', echo: true })).toBe(false)
  })
})
