// What clients ask for, and the truth about it: what an honest model answers, and what that costs.
import { oracle, type Truth } from '../host/emulator/oracle.ts'
import { countAnswer } from '../hub/metering/count.ts'
import { charge, type Money, type Price } from '../sdk/money.ts'
import type { Dice } from './dice.ts'

export interface Ask {
  /** In the words of the request, so that it is known wherever it turns up. */
  tag: string
  path: '/v1/chat/completions' | '/v1/completions'
  body: Record<string, unknown> & { stream: boolean }
  /** One a choice. */
  truths: Truth[]
  /** Text, one choice, no form to keep: what can be told token by token. */
  plain: boolean
}

export const MODEL = 'gpuhub/emulator'
/** Of an answer to somebody who does not say. */
const MOST_TOKENS = 8_192
const SUBJECTS = ['tea', 'rain and wind', 'old clocks', 'the sea', 'good bread', 'naïve 漢字 text 🙂', 'trains']
const TOOL = {
  type: 'function',
  function: {
    name: 'get_weather',
    parameters: { type: 'object', properties: { city: { type: 'string' }, days: { type: 'integer' } } },
  },
}
const SCHEMA = {
  type: 'object',
  properties: { title: { type: 'string' }, tags: { type: 'array', items: { enum: ['a', 'b'] } } },
}

/** A request like those that clients send, under `tag`. `reasons`: the models of this world think aloud. */
export function drawAsk(dice: Dice, tag: string, reasons: boolean): Ask {
  const chat = dice.chance(0.75)
  const words = `${mark(tag)} Tell me about ${dice.pick(SUBJECTS)}.`
  const form = chat ? dice.pick(FORMS) : 'text'
  const n = dice.chance(0.12) ? dice.between(2, 3) : 1
  const stop = dice.chance(0.1)
  const stream = dice.chance(0.65)
  const body = {
    model: MODEL,
    stream,
    ...(chat ? { messages: [{ role: 'user', content: words }] } : { prompt: words }),
    ...(dice.chance(0.9) ? { max_tokens: dice.chance(0.8) ? dice.between(1, 40) : dice.between(40, 120) } : {}),
    ...(n > 1 ? { n } : {}),
    ...(stop ? { stop: dice.pick(['. ', 'the', ' a ']) } : {}),
    ...(stream && dice.chance(0.5) ? { stream_options: { include_usage: true } } : {}),
    ...(form === 'tools' ? { tools: [TOOL], tool_choice: 'required' } : {}),
    ...(form === 'json'
      ? { response_format: { type: 'json_schema', json_schema: { name: 's', schema: SCHEMA } } }
      : {}),
    ...(chat && dice.chance(0.05) ? { logprobs: true, top_logprobs: 2 } : {}),
  }
  const truths = Array.from({ length: n }, (_, choice) => oracle(body, { reasons, choice }))
  const plain = form === 'text' && n === 1 && !stop && !reasons && !('logprobs' in body)
  return { tag, path: chat ? '/v1/chat/completions' : '/v1/completions', body, truths, plain }
}

const FORMS = ['text', 'text', 'text', 'text', 'text', 'text', 'tools', 'json'] as const

/** How a tag is written into a request. */
export const mark = (tag: string): string => `#${tag}#`

/** The tag of whatever request this text belongs to, or nothing. */
export function tagIn(text: string): string | undefined {
  return /#(\d+(?:\.\d+)?)#/.exec(text)?.[1]
}

/** What the whole answer costs: every token of a text; of calls and thoughts, what the hub counts of what was shown. */
export function fullCost({ truths, plain }: Ask, price: Price): Money {
  const counted = truths.map(({ text: content, reasoning, toolCalls, ids }) =>
    plain
      ? ids.length
      : countAnswer('emulated', { content, reasoning, toolCalls, ids, claimed: ids.length }).completion,
  )
  const completion = counted.reduce((tokens, more) => tokens + more, 0)
  return charge(price, { prompt: truths[0]!.prompt.length, completion })
}

/** What no answer to it may cost more than. */
export function mostCost({ truths, body, path }: Ask, price: Price): Money {
  const asked = typeof body.max_tokens === 'number' ? body.max_tokens : path === '/v1/completions' ? 16 : MOST_TOKENS
  return charge(price, { prompt: truths[0]!.prompt.length, completion: truths.length * asked })
}
