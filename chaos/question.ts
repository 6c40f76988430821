// What chaos asks, what the true answer is, and at which token the host that answers first shall be lost. The plan stands
// in the question itself, where the engine reads it (engines.child.ts): no second channel that could fall behind.
import type { ChatRequest } from '../sdk/openai.ts'
import { type Conduct, oracle, type Truth } from '../host/testing.ts'
import { EMULATED_MODEL } from '../sdk/wire/vocabulary.ts'
import type { Dice } from './dice.ts'

export type Form = 'text' | 'tools' | 'json'

/**
 * How an answer's first host fails. `reset`, `eof`, `error`, `garbage`, `hang`: its engine does, in this request alone.
 * `host`: the engine holds the answer there, and whoever drives the scenario takes the whole machine away.
 */
export type Loss = 'reset' | 'eof' | 'error' | 'garbage' | 'hang' | 'host'

export interface Plan {
  loss: Loss
  /** Tokens said before it; 0 is before the first. */
  afterTokens: number
}

export interface Question {
  number: number
  form: Form
  plan: Plan | null
  body: Omit<ChatRequest, 'stream'>
  truth: Truth
}

export interface Mix {
  /** Percent. The rest is plain text. */
  tools: number
  json: number
  /** How hosts are lost, by weight; null: nothing is planned. */
  losses: Partial<Record<Loss, number>> | null
}

export const MIX: Mix = { tools: 20, json: 10, losses: null }

/** Letters of one, two, three and four bytes, so that a cut may come between the bytes of one. */
const TOPICS = [
  'Why is the sky blue?',
  'How do tides work in a harbor?',
  'Erkläre mir bitte Gezeiten und Größenordnungen.',
  'Почему небо голубое?',
  '空はなぜ青いのですか、富士山から見ても。',
  'Compare 🐙 and 🦑, and say which of them 🎨 better.',
  'What makes a good bridge, and who pays for it?',
]

const TOOLS: NonNullable<ChatRequest['tools']> = [
  tool('get_weather', { city: { type: 'string' }, days: { type: 'integer', minimum: 1, maximum: 14 } }),
  tool('book_table', {
    name: { type: 'string' },
    guests: { type: 'array', items: { type: 'string' }, minItems: 2, maxItems: 6 },
    notes: { type: 'object', properties: { quiet: { type: 'boolean' }, wish: { enum: ['window', 'garden'] } } },
  }),
]

const SCHEMA = {
  type: 'object',
  properties: {
    title: { type: 'string', minLength: 20 },
    tags: { type: 'array', items: { type: 'string' }, minItems: 3, maxItems: 8 },
    score: { type: 'number', minimum: 0, maximum: 1 },
    author: { type: 'object', properties: { name: { type: 'string' }, age: { type: 'integer' } } },
  },
}

export function question(number: number, dice: Dice, mix: Mix = MIX): Question {
  const draw = dice.roll(100)
  const form: Form = draw < mix.tools ? 'tools' : draw < mix.tools + mix.json ? 'json' : 'text'
  const shape = shapeOf(form, dice)
  // Short answers are the exception: most end where the model ends them.
  const limit = form === 'text' && dice.chance(30) ? { max_tokens: dice.between(1, 120) } : {}
  const loss = mix.losses && dice.weighted(mix.losses)
  // The plan changes the prompt, and with it the answer and its length; so it is drawn from the length without one.
  const length = oracle(bodyOf(number, null, shape, limit)).ids.length
  const plan = loss && { loss, afterTokens: cutAt(length, dice) }
  const body = bodyOf(number, plan, shape, limit)
  const truth = oracle(body)
  if (plan && plan.afterTokens > last(truth)) return question(number, dice, mix)
  return { number, form, plan, body, truth }
}

/** The first, the second and the last token get their share; else anywhere. */
function cutAt(length: number, dice: Dice): number {
  const where = dice.roll(20)
  if (where === 0) return 0
  if (where === 1) return Math.min(1, length)
  if (where === 2) return Math.max(0, length - 1)
  return dice.roll(Math.max(1, length))
}

/** Tokens after which an answer can still be lost: with one more it is over. */
function last({ ids, finish }: Truth): number {
  return finish === 'length' ? ids.length - 1 : ids.length
}

interface Shape {
  words: string
  more: Partial<ChatRequest>
}

function shapeOf(form: Form, dice: Dice): Shape {
  const words = dice.pick(TOPICS)
  if (form === 'json')
    return { words, more: { response_format: { type: 'json_schema', json_schema: { name: 'note', schema: SCHEMA } } } }
  if (form === 'text') return { words, more: {} }
  // With tools at hand a model calls one, several or none.
  const calls = dice.pick(['', ' Use get_weather.', ' Use book_table.', ' Use get_weather and book_table.'])
  return { words: words + calls, more: { tools: TOOLS } }
}

function bodyOf(number: number, plan: Plan | null, { words, more }: Shape, limit: object): Question['body'] {
  const loss = plan ? `, ${plan.loss} after ${plan.afterTokens}` : ''
  const content = `Question ${number}${loss}. ${words}`
  return { model: EMULATED_MODEL, messages: [{ role: 'user', content }], ...more, ...limit }
}

/** The plan that a prompt's text holds, and the number of its question. */
export function planIn(prompt: string): { number: number; plan: Plan } | null {
  const found = /Question (\d+), (reset|eof|error|garbage|hang|host) after (\d+)\./.exec(prompt)
  if (!found) return null
  return { number: Number(found[1]), plan: { loss: found[2] as Loss, afterTokens: Number(found[3]) } }
}

/** How an engine behaves that carries out a plan. */
export function conductOf({ loss, afterTokens }: Plan): Partial<Conduct> {
  if (loss === 'host' || loss === 'hang') return { hangAfterTokens: afterTokens }
  if (loss === 'garbage') return { garbageAfterTokens: afterTokens }
  return { death: { afterTokens, how: loss === 'reset' ? 'cut' : loss } }
}

function tool(name: string, properties: object): NonNullable<ChatRequest['tools']>[number] {
  return { type: 'function', function: { name, parameters: { type: 'object', properties } } }
}
