// What a client sees when hosts fail: nothing. The emulator's oracle knows every token that has to come.
import { describe, expect, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import { charge } from '../../sdk/money.ts'
import { SseParser } from '../../sdk/stream.ts'
import { startHub, type Tamper, type TestClient, type TestHub } from '../testing.ts'

const price = { prompt: 20_000, completion: 100_000 }
const QUESTION = 'Why is the sky blue?'

/** A stream, as its client understands it. */
interface Heard {
  text: string
  thought: string
  calls: { id: string; name: string; arguments: string }[]
  roles: number
  finishes: string[]
  ids: Set<string>
  usage: { prompt_tokens: number; completion_tokens: number; cost: number } | null
  facts: { attempts: number; resumed: number; host: string } | null
  error: { code: string; message: string } | null
  /** `[DONE]` came, last. */
  done: boolean
}

async function listen(response: Response): Promise<Heard> {
  const heard: Heard = {
    ...{ text: '', thought: '', calls: [], roles: 0, finishes: [], ids: new Set() },
    ...{ usage: null, facts: null, error: null, done: false },
  }
  const parser = new SseParser((payload) => {
    expect(heard.done).toBe(false)
    if (payload === '[DONE]') return void (heard.done = true)
    const chunk = JSON.parse(payload)
    if (chunk.error) return void (heard.error = chunk.error)
    heard.ids.add(`${chunk.id} ${chunk.created} ${chunk.model}`)
    heard.usage = chunk.usage ?? heard.usage
    heard.facts = chunk.x_gpuhub ?? heard.facts
    const [choice] = chunk.choices
    if (!choice) return
    if (choice.delta?.role) heard.roles++
    heard.text += choice.delta?.content ?? choice.text ?? ''
    heard.thought += choice.delta?.reasoning ?? ''
    for (const call of choice.delta?.tool_calls ?? []) {
      heard.calls[call.index] ??= { id: '', name: '', arguments: '' }
      const known = heard.calls[call.index]!
      if (call.id) known.id = call.id
      known.name += call.function?.name ?? ''
      known.arguments += call.function?.arguments ?? ''
    }
    if (choice.finish_reason) heard.finishes.push(choice.finish_reason)
  })
  for await (const bytes of response.body!) parser.push(bytes)
  parser.end()
  return heard
}

const stream = (more: object = {}) => ({ stream: true, stream_options: { include_usage: true }, ...more })

/** The stream is exactly what one host would have said, and costs what it would have cost. */
function expectWhole(heard: Heard, client: TestClient, more: object = {}, text = QUESTION) {
  const truth = client.truth(text, more)
  expect(heard.error).toBeNull()
  expect(heard.text).toBe(truth.text)
  expect(heard.thought).toBe(truth.reasoning)
  expect(heard.finishes).toEqual([truth.finish])
  expect(heard.roles).toBe(1)
  expect(heard.ids.size).toBe(1)
  expect(heard.done).toBe(true)
  return truth
}

async function rowOf({ world }: TestHub, id: string) {
  const { requests } = world.db.tables
  const [row] = await world.db.query.select().from(requests).where(eq(requests.id, id))
  return row!
}

/** Ends after so many tokens, as a killed process does; every later request is answered well. */
const dying = (afterTokens: number, how: 'cut' | 'eof' | 'error' = 'cut') => ({ death: { afterTokens, how } })

const tokensOf = (client: TestClient, more: object = {}) => client.truth(QUESTION, more).ids.length

describe.each([
  ['token ids', true],
  ['text', false],
])('a stream that goes on by %s', (_, tokenIds) => {
  /** The first turn is the dying host's. */
  async function world(conduct: object, more: { tamper?: Tamper } = {}) {
    const hub = await startHub({ credit: { ada: '$1' } })
    const failing = await hub.addHost('failing', conduct, { tokenIds, ...more })
    const good = await hub.addHost('good', {}, { tokenIds })
    return { hub, ada: hub.as('ada'), failing, good }
  }

  test.each([
    ['before the first token (F-kill0)', () => 0],
    ['after the first token (F-kill)', () => 1],
    ['in the middle (F-kill)', (tokens: number) => Math.floor(tokens / 2)],
    ['before the last token (F-kill)', (tokens: number) => tokens - 1],
    ['after the last token, before its end (F-kill)', (tokens: number) => tokens],
  ])('is whole when its host dies %s', async (__, place) => {
    const { hub, ada, failing } = await world({})
    await using _hub = hub
    const at = place(tokensOf(ada))
    failing.engine.set(dying(at))
    const response = await ada.chat(QUESTION, stream())
    const heard = await listen(response)
    const truth = expectWhole(heard, ada)
    expect(heard.usage).toMatchObject({ prompt_tokens: truth.prompt.length, completion_tokens: truth.ids.length })
    expect(heard.facts).toMatchObject({ attempts: 2, resumed: at === 0 ? 0 : 1 })
    const cost = charge(price, { prompt: truth.prompt.length, completion: truth.ids.length })
    expect(await rowOf(hub, response.headers.get('x-request-id')!)).toMatchObject({
      state: 'completed',
      cost,
      attempts: 2,
    })
    expect((await hub.balances()).failing).toBe('$0.00')
    expect(hub.hub.platform.ledger.openHolds()).toBe(0)
  })
})
