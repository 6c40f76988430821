// A hub and its hosts as their owners run them: stopped, killed, started again, copied. Real programs, real sockets.
import { afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { copyFileSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EmulatorOptions, startEmulator } from '../host/testing.ts'
import { until } from '../sdk/testing.ts'
import { freePort } from './free-port.ts'

// Each test starts several processes, which takes its time on a busy machine.
setDefaultTimeout(120_000)

const MODEL = 'gpuhub/emulator'
// From source, pages find their JSX settings only from here.
const root = join(import.meta.dir, '..')
const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

interface Listed {
  name: string
  state: string
  failures: Record<string, number>
  tripped: string[]
  notices: { message: string }[]
}

async function world(engineOptions: EmulatorOptions, graceSeconds: number) {
  const folder = mkdtempSync(join(tmpdir(), 'gpuhub-restart-'))
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const variables = {
    ...{ PATH: process.env.PATH ?? '', HOME: folder, GPUHUB_DATA: join(folder, 'data') },
    ...{ GPUHUB_ALLOW_SIMULATED: '1', GPUHUB_GRACE_SECONDS: String(graceSeconds) },
  }
  const spawn = (program: string, words: string[], log: string, more: Record<string, string> = {}) => {
    const child = Bun.spawn([process.execPath, join(import.meta.dir, program), ...words], {
      cwd: root,
      env: { ...variables, ...more },
      stdio: ['ignore', 'ignore', openSync(join(folder, log), 'a')],
    })
    // Only if a test went wrong is it still there.
    cleanups.push(() => child.kill('SIGKILL'))
    return child
  }
  const command = async <T>(...words: string[]): Promise<T> => {
    const argv = [process.execPath, join(import.meta.dir, 'gpuhub.ts'), ...words, '--json']
    const child = Bun.spawn(argv, { cwd: root, env: variables, stdout: 'pipe', stderr: 'inherit' })
    const output = await new Response(child.stdout).text()
    expect(await child.exited).toBe(0)
    return JSON.parse(output) as T
  }
  const startHub = async () => {
    const hub = spawn('gpuhub.ts', ['serve', '--port', String(port)], 'hub.log')
    await until(
      'the hub is ready',
      () =>
        fetch(`${url}/readyz`)
          .then(({ ok }) => ok)
          .catch(() => false),
      60_000,
    )
    return hub
  }
  const engine = await startEmulator(engineOptions)
  cleanups.push(() => engine.close())
  const tokenOf = async (name: string) =>
    (await command<{ id: string; token: string }>('host-token', 'add', `${name}@hosts.example.com`)).token
  const startHost = async (name: string) => {
    await command('user', 'add', `${name}@hosts.example.com`, '--role', 'host')
    return startAgent(name, await tokenOf(name))
  }
  /** The agent of one machine. */
  const startAgent = (name: string, token: string) => {
    const home = join(folder, name)
    mkdirSync(home, { recursive: true })
    const flags = [
      '--hub',
      url,
      '--model',
      MODEL,
      '--name',
      name,
      '--simulate-gpu',
      'RTX 4090',
      '--engine-url',
      engine.url,
    ]
    return spawn('gpuhost.ts', ['start', '--foreground', ...flags], `${name}.log`, {
      GPUHOST_TOKEN: token,
      GPUHOST_HOME: home,
    })
  }
  const hosts = () => command<Listed[]>('hosts')
  const allReady = () =>
    until('all hosts are ready', async () => (await hosts()).every(({ state }) => state === 'ready'), 60_000)
  const log = (name: string) => readFileSync(join(folder, `${name}.log`), 'utf8')
  return { folder, url, command, engine, startHub, startHost, startAgent, tokenOf, hosts, allReady, log }
}

async function clientOf({ url, command }: Awaited<ReturnType<typeof world>>) {
  await command('user', 'add', 'ada@example.com', '--role', 'client', '--credit', '5.00')
  const { key } = await command<{ key: string }>('key', 'add', 'ada@example.com')
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  const messages = [{ role: 'user', content: 'count to a hundred' }]
  return (more: object = {}, signal?: AbortSignal) =>
    fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      ...(signal ? { signal } : {}),
      headers,
      body: JSON.stringify({ model: MODEL, messages, stream: true, max_tokens: 60, ...more }),
    })
}

test('a hub that is asked to stop finishes what runs, refuses the rest, and gets its hosts back unharmed', async () => {
  const it = await world({ tokensPerSecond: 30 }, 30)
  const hub = await it.startHub()
  const agents = [await it.startHost('berlin'), await it.startHost('oslo')]
  await it.allReady()
  const chat = await clientOf(it)

  const answer = await chat()
  const reader = answer.body!.getReader()
  let text = new TextDecoder().decode((await reader.read()).value)
  // What runs goes on for as long as the rest is looked at.
  it.engine.block()
  hub.kill('SIGTERM')
  await until('the hub says that it is not ready', async () => (await fetch(`${it.url}/readyz`)).status === 503)
  const refused = await chat()
  expect(refused.status).toBe(503)
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
  expect(await refused.json()).toMatchObject({ error: { code: 'hub_unavailable' } })
  it.engine.release()
  for (let read = await reader.read(); !read.done; read = await reader.read())
    text += new TextDecoder().decode(read.value)
  expect(text).toEndWith('data: [DONE]\n\n')
  expect(text).not.toContain('"error"')
  expect(await hub.exited).toBe(0)
  for (const name of ['berlin', 'oslo']) expect(it.log(name)).toContain('This hub is stopping.')

  const next = await it.startHub()
  await it.allReady()
  expect(await chat({ stream: false }).then(({ status }) => status)).toBe(200)
  for (const host of await it.hosts()) {
    expect(host).toMatchObject({ state: 'ready', tripped: [] })
    expect(Object.values(host.failures).every((count) => count === 0)).toBe(true)
  }
  for (const agent of agents) agent.kill('SIGTERM')
  for (const agent of agents) expect(await agent.exited).toBe(0)
  next.kill('SIGTERM')
  expect(await next.exited).toBe(0)
})

test('what has not finished when the grace is over ends with the documented error, and costs nothing', async () => {
  // A minute for one answer: it is not done before the hub has heard the signal.
  const it = await world({ tokensPerSecond: 1 }, 1)
  const hub = await it.startHub()
  await it.startHost('berlin')
  await it.allReady()
  const chat = await clientOf(it)
  const answer = await chat({ max_tokens: 60 })
  const reader = answer.body!.getReader()
  let text = new TextDecoder().decode((await reader.read()).value)
  hub.kill('SIGTERM')
  for (let read = await reader.read(); !read.done; read = await reader.read())
    text += new TextDecoder().decode(read.value)
  expect(text).toContain('"code":"hub_unavailable"')
  expect(text).toEndWith('data: [DONE]\n\n')
  expect(await hub.exited).toBe(0)
  expect(await it.command('ledger', 'check')).toMatchObject({ ok: true, sum: '0', openHolds: 0 })
  const [request] = await it.command<{ state: string; costNanos: string }[]>('requests')
  expect(request).toMatchObject({ state: 'failed', costNanos: '0' })
  const [host] = await it.hosts()
  expect(host?.failures).toMatchObject({ network: 0, host: 0, engine: 0 })
})

test('a hub that is killed gets its hosts back, too', async () => {
  const it = await world({}, 30)
  const hub = await it.startHub()
  await it.startHost('berlin')
  await it.allReady()
  hub.kill('SIGKILL')
  await hub.exited
  await it.startHub()
  await until(
    'the host is linked again',
    async () => it.log('berlin').match(/"message":"linked"/g)?.length === 2,
    60_000,
  )
  await it.allReady()
})

test('a hub that was stopped for longer than its hosts wait blames none of them (F-pause)', async () => {
  const it = await world({ tokensPerSecond: 2 }, 30)
  const hub = await it.startHub()
  await it.startHost('berlin')
  await it.startHost('oslo')
  await it.allReady()
  const chat = await clientOf(it)
  const gone = new AbortController()
  const answer = await chat({}, gone.signal)
  await answer.body!.getReader().read()
  hub.kill('SIGSTOP')
  await until(
    'the hosts give it up',
    () => ['berlin', 'oslo'].every((name) => it.log(name).includes('not linked')),
    60_000,
  )
  hub.kill('SIGCONT')
  const linked = (name: string) => it.log(name).match(/"message":"linked"/g)?.length === 2
  await until('they are linked again', () => linked('berlin') && linked('oslo'), 60_000)
  expect(it.log('hub')).toContain('hub stood still')
  gone.abort()
  hub.kill('SIGTERM')
  expect(await hub.exited).toBe(0)
  for (const host of await it.hosts()) {
    expect(host.tripped).toEqual([])
    expect(host.failures).toMatchObject({ network: 0, host: 0, engine: 0 })
  }
})

test('a machine and its copy are both refused at the third takeover; a new token brings one of them back (F-split)', async () => {
  const it = await world({}, 30)
  await it.startHub()
  await it.command('user', 'add', 'attic@hosts.example.com', '--role', 'host')
  const token = await it.tokenOf('attic')
  let one = it.startAgent('attic', token)
  await until('the machine is linked', () => it.log('attic').includes('"message":"linked"'))
  mkdirSync(join(it.folder, 'copy'))
  copyFileSync(join(it.folder, 'attic', 'machine'), join(it.folder, 'copy', 'machine'))
  // Two takeovers, each by a program that a service manager started again.
  let other = it.startAgent('copy', token)
  expect(await one.exited).toBe(1)
  one = it.startAgent('attic', token)
  expect(await other.exited).toBe(1)
  await it.allReady()
  expect((await it.hosts())[0]?.notices).toEqual([])
  // The third.
  other = it.startAgent('copy', token)
  expect([await one.exited, await other.exited]).toEqual([1, 1])
  expect(it.log('copy')).toContain('Two machines use this identity')
  const told = await until('the owner is told', async () =>
    (await it.hosts()).find(({ notices }) => notices.length > 0),
  )
  expect(told.notices[0]?.message).toContain('new token')
  expect(await it.startAgent('attic', token).exited).toBe(1)

  it.startAgent('attic', await it.tokenOf('attic'))
  await it.allReady()
  expect((await it.hosts())[0]?.notices).toEqual([])
  expect(await it.startAgent('copy', token).exited).toBe(1)
})
