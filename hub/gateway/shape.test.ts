import { expect, test } from 'bun:test'
import { frameOf, shapes } from './shape.ts'

const head = { id: 'chatcmpl-1', created: 1_790_000_000, model: 'a/"model"\\ of\u2028ours' }
const texts = [' sky', '"\\\n\u0000\u2028', '\ud800', '{"content":"\uE0B2"}', '東京 👍']

test('a frame around a text is what its whole piece is as JSON', () => {
  for (const shape of Object.values(shapes))
    for (const content of texts) {
      const piece = { index: 3, content, reasoning: '', toolCalls: null, logprobs: null, ids: [1], finish: null }
      const { before, after } = frameOf(shape, head, 3)
      expect(before + JSON.stringify(content) + after).toBe(JSON.stringify(shape.piece(head, piece)))
    }
})
