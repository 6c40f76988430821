// Test kit of the gateway: streams as their clients understand them, and hosts that fail at a chosen place.
import { expect } from 'bun:test'
import { eq } from 'drizzle-orm'
import { charge } from '../../sdk/money.ts'
import { SseParser } from '../../sdk/stream.ts'
import { until } from '../../sdk/testing.ts'
import type { Tamper, TestClient, TestHub } from '../testing.ts'

/** What the emulator costs on a fresh hub. */
export const price = { prompt: 20_000, completion: 100_000 }
export const QUESTION = 'Why is the sky blue?'

export interface Heard {
  text: string
  thought: string
  calls: { id: string; name: string; arguments: string }[]
  roles: number
  finishes: string[]
  /** `id created model`, of every chunk. */
  heads: Set<string>
  usage: { prompt_tokens: number; completion_tokens: number; cost: number } | null
  facts: { attempts: number; resumed: number; host: string } | null
  error: { code: string; message: string } | null
  /** `[DONE]` came, and nothing after it. */
  done: boolean
  requestId: string
}

/** Asks for usage, so that it can be compared. */
export const stream = (more: object = {}) => ({ stream: true, stream_options: { include_usage: true }, ...more })

/** Reads a stream to its end. */
export async function listen(response: Response): Promise<Heard> {
  const heard: Heard = {
    ...{ text: '', thought: '', calls: [], roles: 0, finishes: [], heads: new Set() },
    ...{ usage: null, facts: null, error: null, done: false },
    requestId: response.headers.get('x-request-id')!,
  }
  const parser = new SseParser((payload) => hear(heard, payload))
  for await (const bytes of response.body!) parser.push(bytes)
  parser.end()
  return heard
}

function hear(heard: Heard, payload: string): void {
  expect(heard.done).toBe(false)
  if (payload === '[DONE]') return void (heard.done = true)
  const chunk = JSON.parse(payload)
  if (chunk.error) return void (heard.error = chunk.error)
  heard.heads.add(`${chunk.id} ${chunk.created} ${chunk.model}`)
  heard.usage = chunk.usage ?? heard.usage
  heard.facts = chunk.x_gpuhub ?? heard.facts
  const [choice] = chunk.choices
  if (!choice) return
  if (choice.delta?.role) heard.roles++
  heard.text += choice.delta?.content ?? choice.text ?? ''
  heard.thought += choice.delta?.reasoning ?? ''
  for (const call of choice.delta?.tool_calls ?? []) {
    const known = (heard.calls[call.index] ??= { id: '', name: '', arguments: '' })
    known.id += call.id ?? ''
    known.name += call.function?.name ?? ''
    known.arguments += call.function?.arguments ?? ''
  }
  if (choice.finish_reason) heard.finishes.push(choice.finish_reason)
}

/** The stream is to the letter what one host would have said, in one piece, and cost what it would have cost. */
export function expectWhole(heard: Heard, truth: ReturnType<TestClient['truth']>): void {
  const { text, reasoning, toolCalls, finish, prompt } = truth
  expect([heard.error, heard.text, heard.thought, heard.finishes]).toEqual([null, text, reasoning, [finish]])
  expect(heard.calls).toEqual(toolCalls)
  expect([heard.roles, heard.heads.size, heard.done]).toEqual([1, 1, true])
  expect(heard.usage?.prompt_tokens).toBe(prompt.length)
}

/** Rows of requests that cost nothing are written a moment after their clients were told. */
export async function rowOf({ world }: TestHub, id: string) {
  const { requests } = world.db.tables
  return until('the request is written down', async () => {
    const [row] = await world.db.query.select().from(requests).where(eq(requests.id, id))
    return row
  })
}

/** What `truth` costs its client, whoever said it. */
export function costOf({ prompt, ids }: ReturnType<TestClient['truth']>): bigint {
  return charge(price, { prompt: prompt.length, completion: ids.length })
}

/** Hosts that fail keep their turns, so that one world serves for many failures. */
export function forgive({ hub }: TestHub): void {
  hub.platform.health.failed = () => {}
}

/** Ends after so many tokens of the next answers. */
export const dying = (afterTokens: number, how: 'cut' | 'eof' | 'error' = 'cut') => ({ death: { afterTokens, how } })

/** Leaves out everything from the first event on of which `fact` holds. */
export function endAt(fact: (event: string) => boolean, ends: 'cut' | 'eof' | 'hang'): Tamper {
  return (event) => (fact(event) ? { ends } : event)
}

/** Lets time pass, step by step, until `event` has happened; real work goes on in between. */
export async function passUntil<T>({ env }: TestHub, event: Promise<T>, mostMs = 120_000): Promise<T> {
  let over = false
  const done = event.finally(() => (over = true))
  for (let ms = 0; !over; ms += 250) {
    if (ms > mostMs) throw new Error(`it did not happen within ${mostMs} ms`)
    await env.advance(250)
  }
  return done
}

/** What the engine of a host was asked, oldest first. */
export function asked(hub: TestHub, host: string): { path: string; body: Record<string, unknown> }[] {
  return hub.host(host).engine.tally.records.map(({ path, body }) => ({ path, body: body as Record<string, unknown> }))
}
