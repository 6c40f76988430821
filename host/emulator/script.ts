// Answers that follow a form: tool calls, JSON and thinking aloud. The raw output is text as a real model writes it
// (`<tool_call>…`); `spans` say which parts of it a client sees, and where.
import { decode, encode } from '../../sdk/wire/vocabulary.ts'
import { type Draw, invent } from './invent.ts'
import type { Form } from './order.ts'

export type Field =
  | { kind: 'content' }
  | { kind: 'reasoning' }
  | { kind: 'call'; index: number; id: string; name: string }

/** Characters `from` to `to` of the raw text belong to `field`; what no span covers is not shown. */
export interface Span {
  from: number
  to: number
  field: Field
}

export interface Script {
  ids: number[]
  spans: Span[]
  /** The model goes on in its own words after the script. */
  open: boolean
  finish: 'stop' | 'tool_calls'
}

export function scriptFor(form: Form, draw: Draw, reasons: boolean): Script | null {
  if (form.kind === 'calls') return callScript(form, draw)
  if (form.kind === 'json') return jsonScript(form.schema, draw)
  return reasons ? thinkingScript() : null
}

function callScript(form: Extract<Form, { kind: 'calls' }>, draw: Draw): Script {
  let raw = ''
  const spans: Span[] = []
  for (const [index, tool] of form.calls.entries()) {
    const { name, parameters } = tool.function
    const mine: Draw = (salt) => draw(salt + 1009 * (index + 1))
    raw += `${index > 0 ? '\n' : ''}<tool_call>\n{"name": ${JSON.stringify(name)}, "arguments": `
    const from = raw.length
    raw += JSON.stringify(invent(parameters ?? { type: 'object' }, mine))
    const id = `chatcmpl-tool-${mine(1).toString(16).padStart(8, '0')}${mine(2).toString(16).padStart(8, '0')}`
    spans.push({ from, to: raw.length, field: { kind: 'call', index, id, name } })
    raw += '}\n</tool_call>'
  }
  // vLLM ends a call to a tool the client named with `stop`.
  return { ids: encode(raw), spans, open: false, finish: form.named ? 'stop' : 'tool_calls' }
}

function jsonScript(schema: unknown, draw: Draw): Script {
  const ids = encode(JSON.stringify(invent(schema, draw)))
  return {
    ids,
    spans: RAW,
    open: false,
    finish: 'stop',
  }
}

/**
 * What is left of the thoughts that a prompt ends in the middle of: `said` are the ids since the assistant began to
 * speak. Null: it ends elsewhere. Raw, as a completion is: marks and all.
 */
export function restOfThoughts(said: readonly number[]): Script | null {
  const { ids } = thinkingScript()
  if (said.length === 0 || said.length >= ids.length || said.some((id, place) => id !== ids[place])) return null
  return { ids: ids.slice(said.length), spans: RAW, open: true, finish: 'stop' }
}

const RAW: Span[] = [{ from: 0, to: Number.POSITIVE_INFINITY, field: { kind: 'content' } }]

function thinkingScript(): Script {
  const head = '<think>\n'
  const thought = 'The question is clear. First say what matters most, then give one example.'
  const raw = `${head}${thought}\n</think>\n\n`
  const ids = encode(raw)
  return {
    ids,
    spans: [
      { from: head.length, to: head.length + thought.length, field: { kind: 'reasoning' } },
      { from: decode(ids).length, to: Number.POSITIVE_INFINITY, field: { kind: 'content' } },
    ],
    open: true,
    finish: 'stop',
  }
}
