// The world a hub is measured in: a prepared database with clients, keys, credit and host tokens, the words of answers,
// and prompts of known length. Made once for a run of the bench, copied for each hub.
import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { migrate } from '../db/migrate.ts'
import { type Db, openDb } from '../db/open.ts'
import { decide } from '../hub/catalog/offers.ts'
import { addHostToken } from '../hub/fleet/token.ts'
import { KEY_PREFIX } from '../hub/identity/keys.ts'
import { makeSecret } from '../hub/identity/secret.ts'
import { addUser, clientAccount } from '../hub/identity/users.ts'
import { postCredit } from '../hub/ledger/credit.ts'
import { countPrompt } from '../hub/metering/count.ts'
import { loadTokenizer } from '../hub/metering/tokenizers.ts'
import { newId, systemEnv } from '../sdk/env.ts'
import { parseUsd } from '../sdk/money.ts'
import { words as knownWords } from '../sdk/wire/words.ts'

export const MODEL = 'Qwen/Qwen3-8B'
/** Streams that are measured at a time, at most. */
export const SLOTS = 12_000
const CLIENTS = 100
const OWNERS = 25
const CREDIT = parseUsd('1000000')
const TOKENIZER = 'qwen3'

export interface World {
  folder: string
  /** One key a line; `keys` belong to `CLIENTS` clients. */
  keys: string
  tokens: string
  words: string
  board: string
  /** A data folder of its own for one hub. */
  dataFolder(name: string): string
}

export interface Prompt {
  /** The file with what follows the order in a prompt. */
  path: string
  /** Of the whole prompt as the model reads it. */
  tokens: number
}

/** `keys` is how many API keys there are, all live. */
export async function makeWorld(folder: string, { keys = CLIENTS }: { keys?: number } = {}): Promise<World> {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, 'hub.db')
  for (const end of ['', '-wal', '-shm']) rmSync(file + end, { force: true })
  const db = await openDb(`sqlite:${file}`)
  try {
    await migrate(db)
    const world = {
      folder,
      keys: join(folder, 'keys'),
      tokens: join(folder, 'tokens'),
      words: join(folder, 'words'),
      board: join(folder, 'board'),
      dataFolder: (name: string) => copyOf(folder, name),
    }
    writeFileSync(world.keys, (await addClients(db, keys)).join('\n'), { mode: 0o600 })
    writeFileSync(world.tokens, (await addOwners(db)).join('\n'), { mode: 0o600 })
    writeFileSync(world.words, singleTokens().join('\n'))
    for (const variant of ['bf16', 'fp8'])
      await decide(systemEnv, db, 'command line', { variant: `${MODEL}:${variant}`, enabled: true })
    return world
  } finally {
    await db.close()
  }
}

/** Common words, as real prompts have them, after an order of `[bench slot=…]`. */
export function makePrompt(world: World, bytes: number): Prompt {
  const path = join(world.folder, `prompt-${bytes}`)
  let text = ''
  for (let i = 0; text.length < bytes - 94; i++) text += ` ${knownWords[(i * 7_919) % knownWords.length]}`
  if (!existsSync(path)) writeFileSync(path, text)
  const order = '[bench slot=000123 tokens=0050 gap=020000 each=001 prompt=00254 n=1]'
  const messages = [{ role: 'user' as const, content: order + text }]
  return { path, tokens: countPrompt(TOKENIZER, { kind: 'chat', chat: { messages } }).tokens }
}

function copyOf(folder: string, name: string): string {
  const data = join(folder, 'data', name)
  rmSync(data, { recursive: true, force: true })
  mkdirSync(data, { recursive: true, mode: 0o700 })
  copyFileSync(join(folder, 'hub.db'), join(data, 'hub.db'))
  return data
}

async function addClients(db: Db, count: number): Promise<string[]> {
  const users: string[] = []
  for (let i = 0; i < CLIENTS; i++) {
    const user = await addUser(systemEnv, db, { email: `client${i}@example.com`, roles: ['client'] })
    await postCredit(systemEnv, db, {
      account: clientAccount(user.id),
      amount: CREDIT,
      key: `credit:${user.id}`,
      note: 'bench',
    })
    users.push(user.id)
  }
  const keys = Array.from({ length: count }, (_, i) => {
    const { secret, hash, hint } = makeSecret(systemEnv, KEY_PREFIX)
    const row = { id: newId(systemEnv, 'key'), userId: users[i % CLIENTS]!, name: 'bench', hash, hint }
    return { secret, row: { ...row, createdAt: systemEnv.now(), revokedAt: null } }
  })
  for (let at = 0; at < keys.length; at += 1_000)
    await db.query.insert(db.tables.keys).values(keys.slice(at, at + 1_000).map(({ row }) => row))
  return keys.map(({ secret }) => secret)
}

async function addOwners(db: Db): Promise<string[]> {
  const tokens: string[] = []
  for (let i = 0; i < OWNERS; i++) {
    const owner = await addUser(systemEnv, db, { email: `owner${i}@example.com`, roles: ['host'] })
    tokens.push((await addHostToken(systemEnv, db, { ownerId: owner.id, name: 'bench' })).token)
  }
  return tokens
}

/** `ID WORD`, for words that are one token with the space before them: then an answer has as many tokens as words. */
function singleTokens(): string[] {
  const tokenizer = loadTokenizer(TOKENIZER)
  return [...new Set(knownWords)]
    .filter((word) => /^[a-zA-Z]{2,12}$/.test(word))
    .flatMap((word) => {
      const [id, ...more] = tokenizer.encodeAnswer(` ${word}`)
      return more.length === 0 ? [`${id} ${word}`] : []
    })
    .slice(0, 1_000)
}
