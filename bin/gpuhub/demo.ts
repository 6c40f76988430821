// `gpuhub demo`: a hub, two hosts and one paid request, all real but for the GPUs.
import { mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { and, eq } from 'drizzle-orm'
import OpenAI from 'openai'
import type { Db } from '../../db/open.ts'
import { type Config, readConfig } from '../../hub/config.ts'
import { listHosts } from '../../hub/fleet/list.ts'
import { addHostToken } from '../../hub/fleet/token.ts'
import { addLogin } from '../../hub/identity/join.ts'
import { addKey, listKeys, revokeKey } from '../../hub/identity/keys.ts'
import { Passwords } from '../../hub/identity/passwords.ts'
import { addUser, findUser, type User } from '../../hub/identity/users.ts'
import { clientAccount } from '../../hub/ledger/chart.ts'
import { checkLedger } from '../../hub/ledger/check.ts'
import { postCredit } from '../../hub/ledger/credit.ts'
import { silentLog } from '../../hub/log.ts'
import type { Role } from '../../db/schema/people.ts'
import type { Receipt } from '../../sdk/api.ts'
import { systemEnv } from '../../sdk/env.ts'
import { formatUsd, parseUsd } from '../../sdk/money.ts'
import { command, type Context } from '../command.ts'
import { Failure } from '../failure.ts'
import { columns } from '../lines.ts'
import { thisProgram } from '../main.ts'
import { openDatabase } from './database.ts'
import { type DemoEngine, demoEngine } from './demo-engine.ts'
import { type Serving, startServing } from './serve.ts'

const HOSTS = ['berlin', 'kyoto']
const QUESTION = 'Why can a home GPU answer questions at night?'
const READY_MS = 60_000

export const demoCommand = command({
  name: 'demo',
  summary: 'See it work: a hub, two simulated hosts, one paid request, its receipt, the books.',
  options: {
    once: { type: 'boolean', help: 'End after the request instead of staying up.' },
    port: {
      type: 'integer',
      value: 'N',
      default: 8080,
      min: 0,
      max: 65_535,
      help: 'Port of the hub; 0 takes a free one.',
    },
    data: { type: 'string', value: 'FOLDER', help: 'Keep everything there [default: a temporary folder].' },
    'engine-url': { type: 'string', value: 'URL', help: 'Use this OpenAI-compatible engine instead of the emulator.' },
  },
  async run({ options, world, say }) {
    const folder = options.data ?? mkdtempSync(join(tmpdir(), 'gpuhub-demo-'))
    const engine = await demoEngine(options['engine-url'])
    // `--once` is for scripts: it must not fail because something else has the port.
    const port = options.once ? 0 : options.port
    const settings = { GPUHUB_ALLOW_SIMULATED: '1', GPUHUB_DEVELOPMENT: process.env.GPUHUB_DEVELOPMENT }
    const config = readConfig(settings, { data: folder, port: String(port) })
    const demo = await start(config, engine, folder, world.interactive)
    try {
      await paidRequest(demo, engine, say)
      if (options.once) return
      stayUp(demo, engine, say)
      await firstSignal()
    } finally {
      await demo.stop()
      if (options.data === undefined) rmSync(folder, { recursive: true, force: true })
    }
  },
})

type Say = Context['say']

interface Demo {
  url: string
  db: Db
  key: string
  client: User
  /** Of everybody here. */
  password: string
  stop(): Promise<void>
}

async function start(config: Config, engine: DemoEngine, folder: string, interactive: boolean): Promise<Demo> {
  const serving = await startServing(config, { interactive }, silentLog)
  const db = await openDatabase(config)
  const hosts: Bun.Subprocess[] = []
  const stop = async () => {
    for (const host of hosts) host.kill('SIGTERM')
    await Promise.all(hosts.map((host) => host.exited))
    await db.close()
    await serving.stop()
  }
  try {
    const login = await newPassword()
    const client = await person(db, 'ada@example.com', ['client'], login)
    const credit = {
      account: clientAccount(client.id),
      amount: parseUsd('5.00'),
      key: `demo:${client.id}`,
      note: 'demo credit',
    }
    await postCredit(systemEnv, db, credit)
    const key = await freshKey(db, client)
    const owner = await person(db, 'owner@example.com', ['host'], login)
    await person(db, 'admin@example.com', ['admin', 'client', 'host'], login)
    for (const name of HOSTS) {
      const { token } = await addHostToken(systemEnv, db, { ownerId: owner.id, name })
      hosts.push(startHost({ name, token, hub: serving.url, engine, folder }))
    }
    await hostsReady(db, serving, hosts, folder)
    return { url: serving.url, db, key, client, password: login.password, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** A real gpuhost, as a child: this same program, asked to be the other one. */
function startHost(host: {
  name: string
  token: string
  hub: string
  engine: DemoEngine
  folder: string
}): Bun.Subprocess {
  const { name, token, hub, engine, folder } = host
  const home = join(folder, name)
  mkdirSync(home, { recursive: true })
  const flags = ['--foreground', '--hub', hub, '--model', engine.model, '--name', name, '--simulate-gpu', 'RTX 4090']
  const engineFlags = engine.url
    ? ['--engine', 'openai', '--engine-url', engine.url, ...(engine.name ? ['--engine-model', engine.name] : [])]
    : []
  return Bun.spawn([...thisProgram(), 'host-of-demo', 'start', ...flags, ...engineFlags, '--grace', '2'], {
    env: { ...process.env, GPUHOST_TOKEN: token, GPUHOST_HOME: home },
    stdio: ['ignore', 'ignore', openSync(join(home, 'output'), 'w')],
  })
}

async function hostsReady(db: Db, { hub }: Serving, hosts: Bun.Subprocess[], folder: string): Promise<void> {
  const until = systemEnv.mono() + READY_MS
  const failed = () => hosts.some((host) => host.exitCode !== null) || systemEnv.mono() > until
  while ((await listHosts(systemEnv, db)).filter((host) => host.state === 'ready').length < hosts.length) {
    if (failed()) {
      const output = await Promise.all(HOSTS.map((name) => Bun.file(join(folder, name, 'output')).text()))
      throw new Failure(`The demo’s hosts did not get ready.\n${output.join('\n').trim()}`)
    }
    await Bun.sleep(25)
  }
  hub.platform.log.debug('demo.ready')
}

/** One request with the official client, as any app would make it. */
async function paidRequest(demo: Demo, engine: DemoEngine, say: Say): Promise<void> {
  say(`\n  hub     ${demo.url}  (SQLite, ${HOSTS.length} hosts: ${HOSTS.join(', ')})`)
  say(
    `  model   ${engine.model}  ${engine.url ? `at ${engine.url}` : 'the built-in emulator: the GPUs here are simulated, everything else is real'}`,
  )
  say(`\n  > ${QUESTION}\n`)
  const openai = new OpenAI({ baseURL: `${demo.url}/v1`, apiKey: demo.key })
  const { data: stream, response } = await openai.chat.completions
    .create({ model: engine.model, messages: [{ role: 'user', content: QUESTION }], stream: true })
    .withResponse()
  for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? '')
  process.stdout.write('\n')
  const id = response.headers.get('x-request-id') ?? ''
  const receipt = await ask<Receipt>(demo, `/api/v1/receipts/${id}`)
  say('\n  receipt')
  for (const line of receiptLines(receipt)) say(`    ${line}`)
  const report = await checkLedger(demo.db)
  say('\n  ledger check')
  const books = report.ok
    ? `right: ${report.postings} postings over ${report.accounts} accounts sum to ${formatUsd(report.sum)}`
    : `WRONG: ${report.problems.map(({ what, id }) => `${what} (${id})`).join(', ')}`
  say(`    ${books}\n`)
  if (!report.ok) throw new Failure('The books are wrong.')
}

function receiptLines(receipt: Receipt): string[] {
  const usd = (nanos: string) => formatUsd(BigInt(nanos))
  return columns([
    ['request', receipt.id],
    ['model', `${receipt.model} (${receipt.precision})`],
    ['tokens', `${receipt.promptTokens} prompt + ${receipt.completionTokens} answer, counted by the hub`],
    ['price', `$${receipt.pricePrompt} prompt, $${receipt.priceCompletion} answer, per million tokens`],
    ['cost', usd(receipt.costNanos)],
    ['host earned', `${usd(receipt.hostShareNanos)}  (${receipt.host})`],
    ['fee', usd(receipt.feeNanos)],
    [
      'state',
      `${receipt.state} after ${receipt.attempts} ${receipt.attempts === 1 ? 'attempt' : 'attempts'}, first token in ${receipt.firstTokenMs} ms`,
    ],
    ['signed', `${receipt.signature.algorithm}, key ${receipt.signature.keyId}`],
  ])
}

function stayUp({ url, key, password }: Demo, engine: DemoEngine, say: Say): void {
  for (const line of columns([
    ['pages', url],
    ['sign in', `ada@example.com (client), owner@example.com (host) or admin@example.com, password ${password}`],
    ['OpenAI API', `${url}/v1`],
    ['platform API', `${url}/openapi.json`],
    ['API key', key],
  ])) {
    say(`  ${line}`)
  }
  say(`\n  curl ${url}/v1/chat/completions -H 'authorization: Bearer ${key}' -H 'content-type: application/json' \\`)
  say(`    -d '{"model":"${engine.model}","stream":true,"messages":[{"role":"user","content":"Hello"}]}'`)
  say('\n  Ctrl-C ends everything.')
}

async function ask<T>({ url, key }: Demo, path: string): Promise<T> {
  const response = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${key}` } })
  if (!response.ok) throw new Failure(`${path} answered ${response.status}: ${await response.text()}`)
  return (await response.json()) as T
}

/** Keys are shown once, so every start makes a new one; the old ones end. */
async function freshKey(db: Db, { id: userId }: User): Promise<string> {
  for (const old of await listKeys(db, { userId, limit: 1_000 })) await revokeKey(systemEnv, db, { id: old.id, userId })
  return (await addKey(systemEnv, db, { userId, name: 'demo' })).key
}

interface Login {
  password: string
  hash: string
}

async function newPassword(): Promise<Login> {
  const password = Buffer.from(systemEnv.random(9)).toString('base64url')
  return { password, hash: await new Passwords().hash(password) }
}

/** Somebody who can sign in with this start's password. */
async function person(db: Db, email: string, roles: Role[], { hash }: Login): Promise<User> {
  const user = (await findUser(db, email)) ?? (await addUser(systemEnv, db, { email, roles }))
  const { logins } = db.tables
  await db.query.delete(logins).where(and(eq(logins.userId, user.id), eq(logins.provider, 'password')))
  await addLogin({ env: systemEnv, db }, db.query, user.id, { provider: 'password', hash })
  return user
}

function firstSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
  })
}
