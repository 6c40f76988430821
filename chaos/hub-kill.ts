// Kills a hub under load, again and again, and then looks what the books say about every answer a client got.
import OpenAI from 'openai'
import { charge, usdNumber } from '../sdk/money.ts'
import { type HubProcess, settings, startWorld, type World } from './processes.ts'

export interface Certificate {
  database: 'sqlite' | 'postgres'
  rounds: number
  /** Requests sent, and answers that came completely: a finish and `[DONE]`, or a whole body. */
  sent: number
  complete: number
  /** Complete answers that are in the books once, at their price. */
  billedOnce: number
  /** Of these, given back because the hub died before it could note that they had been delivered. */
  alsoRefunded: number
  /** Complete answers that are missing from the books, or stand there at another price. */
  wrong: string[]
  /** Answers that no client got completely, charged and given back. */
  refunded: number
  /** What `gpuhub ledger check` says at the end, with every hub stopped. */
  books: { ok: boolean; sum: string; openHolds: number; requests: number; problems: unknown[] }
}

interface Complete {
  id: string
  cost: number
}

const CLIENTS = 12
const KILL_AFTER_MS = { least: 60, most: 700 }
const ANSWER_MS = 20_000

export async function killHubs(
  database: 'sqlite' | 'postgres',
  rounds: number,
  say: (line: string) => void = () => {},
): Promise<Certificate> {
  const world = await startWorld(database)
  try {
    let hub = await world.startHub()
    const { key } = await world.client('100.00')
    const complete: Complete[] = []
    let sent = 0
    say(
      `${database}, ${rounds} rounds, ${CLIENTS} clients, settings ${JSON.stringify({ ...settings, GPUHUB_SECRET: '…' })}`,
    )
    for (let round = 1; round <= rounds; round++) {
      if (round > 1) hub = await world.startHub(hub.port)
      const host = await world.startHost(hub, 'host')
      const load = clients(hub, key, complete)
      await Bun.sleep(KILL_AFTER_MS.least + Math.random() * (KILL_AFTER_MS.most - KILL_AFTER_MS.least))
      await hub.kill()
      sent += await load.stop()
      await host.kill()
      say(`round ${round}: ${complete.length} of ${sent} answers complete`)
    }
    // One that lives, to clear up after the last; and leaves in order.
    const last = await world.startHub(hub.port)
    await deadHubsGone(world)
    await last.stop()
    return await judge(world, database, rounds, sent, complete)
  } finally {
    await world.close()
  }
}

/** Clients that ask without a pause, half of them for streams. */
function clients(hub: HubProcess, key: string, complete: Complete[]) {
  const openai = new OpenAI({ baseURL: `${hub.url}/v1`, apiKey: key, maxRetries: 0, timeout: ANSWER_MS })
  let stopped = false
  let sent = 0
  const running = Array.from({ length: CLIENTS }, async (_, client) => {
    while (!stopped) {
      sent++
      const answer = await (client % 2 === 0 ? streamed(openai, sent) : whole(openai, sent)).catch(() => null)
      if (answer) complete.push(answer)
      else if (!stopped) await Bun.sleep(5)
    }
  })
  return {
    async stop() {
      stopped = true
      await Promise.all(running)
      return sent
    },
  }
}

const ask = (n: number) => ({
  model: 'gpuhub/emulator',
  messages: [{ role: 'user' as const, content: `Question ${n}` }],
  max_tokens: 1 + (n % 24),
})

async function streamed(openai: OpenAI, n: number): Promise<Complete | null> {
  const options = { ...ask(n), stream: true as const, stream_options: { include_usage: true } }
  const { data, response } = await openai.chat.completions.create(options).withResponse()
  let finished = false
  let cost: number | null = null
  for await (const chunk of data) {
    finished ||= chunk.choices.some((choice) => choice.finish_reason !== null)
    cost = (chunk.usage as { cost?: number } | null | undefined)?.cost ?? cost
  }
  // Usage comes last but for [DONE]: an answer with a finish and without it was cut.
  return finished && cost !== null ? { id: response.headers.get('x-request-id') ?? '', cost } : null
}

async function whole(openai: OpenAI, n: number): Promise<Complete | null> {
  const { data, response } = await openai.chat.completions.create(ask(n)).withResponse()
  const cost = (data.usage as { cost?: number } | undefined)?.cost
  return cost === undefined ? null : { id: response.headers.get('x-request-id') ?? '', cost }
}

/** On PostgreSQL a hub is dead when it was silent for half a minute, or when a new one has its address. */
async function deadHubsGone(world: World): Promise<void> {
  const deadline = performance.now() + 60_000
  for (;;) {
    const { problems } = await world
      .command<{ problems: unknown[] }>('ledger', 'check')
      .catch(() => ({ problems: ['unread'] }))
    if (problems.length === 0 || performance.now() > deadline) return
    await Bun.sleep(100)
  }
}

interface Row {
  id: string
  state: string
  costNanos: string
  promptTokens: number
  completionTokens: number
  promptPicos: number
  completionPicos: number
}

async function judge(
  world: World,
  database: Certificate['database'],
  rounds: number,
  sent: number,
  complete: Complete[],
): Promise<Certificate> {
  const rows = await world.command<Row[]>('requests', '--limit', '100000')
  const byId = new Map(rows.map((row) => [row.id, row]))
  const wrong: string[] = []
  let alsoRefunded = 0
  for (const { id, cost } of complete) {
    const row = byId.get(id)
    if (!row) wrong.push(`${id} is not in the books`)
    else if (usdNumber(BigInt(row.costNanos)) !== cost)
      wrong.push(`${id} cost ${cost} and stands there with ${row.costNanos} nano-dollars`)
    else if (BigInt(row.costNanos) !== charged(row)) wrong.push(`${id} was not charged at its price`)
    else if (row.state === 'lost') alsoRefunded++
    else if (row.state !== 'completed') wrong.push(`${id} is ${row.state}`)
  }
  const gotten = new Set(complete.map(({ id }) => id))
  const books = await world
    .command<Certificate['books']>('ledger', 'check')
    .catch((error: Error) => JSON.parse(/\{.*\}/s.exec(error.message)?.[0] ?? '{}'))
  return {
    ...{ database, rounds, sent, complete: complete.length, alsoRefunded, wrong, books },
    billedOnce: complete.length - wrong.length,
    refunded: rows.filter((row) => row.state === 'lost' && !gotten.has(row.id)).length,
  }
}

function charged(row: Row): bigint {
  const price = { prompt: row.promptPicos, completion: row.completionPicos }
  return charge(price, { prompt: row.promptTokens, completion: row.completionTokens })
}

if (import.meta.main) {
  const { values } = (await import('node:util')).parseArgs({
    options: { rounds: { type: 'string', default: '100' }, postgres: { type: 'boolean', default: false } },
  })
  const certificate = await killHubs(values.postgres ? 'postgres' : 'sqlite', Number(values.rounds), (line) =>
    console.error(line),
  )
  console.log(JSON.stringify(certificate, null, 2))
  process.exit(certificate.wrong.length === 0 && certificate.books.ok ? 0 : 1)
}
