// A machine joins its owner's account with real programs: the hub's first start, its admin, `gpuhost login`, `gpuhost start`.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../sdk/testing.ts'
import { freePort } from './free-port.ts'

// Several processes, which take their time on a busy machine.
setDefaultTimeout(120_000)

const root = join(import.meta.dir, '..')
const PASSWORD = 'four words in a row'
let folder: string
let url: string
let variables: Record<string, string>
const children: Bun.Subprocess[] = []

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gpuhub-login-'))
  const port = await freePort()
  url = `http://127.0.0.1:${port}`
  variables = {
    ...{ PATH: process.env.PATH ?? '', HOME: folder, GPUHUB_DATA: join(folder, 'data'), GPUHUB_PORT: String(port) },
    ...{ GPUHUB_ALLOW_SIMULATED: '1', GPUHUB_GRACE_SECONDS: '1', GPUHOST_HOME: join(folder, 'host') },
  }
})
afterAll(async () => {
  for (const child of children.reverse()) {
    child.kill('SIGTERM')
    await child.exited
  }
  rmSync(folder, { recursive: true, force: true })
})

/** In the background; what it says goes to a file. */
function spawn(program: 'gpuhub' | 'gpuhost', words: string[], log: string): Bun.Subprocess {
  const output = openSync(join(folder, log), 'a')
  const argv = [process.execPath, join(import.meta.dir, `${program}.ts`), ...words]
  const child = Bun.spawn(argv, { cwd: root, env: variables, stdio: ['ignore', output, output] })
  children.push(child)
  return child
}
async function command<T>(...words: string[]): Promise<T> {
  const argv = [process.execPath, join(import.meta.dir, 'gpuhub.ts'), ...words, '--json']
  const child = Bun.spawn(argv, { cwd: root, env: variables, stdout: 'pipe', stderr: 'pipe' })
  const output = await new Response(child.stdout).text()
  expect(await child.exited).toBe(0)
  return JSON.parse(output) as T
}
const said = (log: string) => readFileSync(join(folder, log), 'utf8')

/** A browser: keeps its one cookie. */
function browser() {
  let cookie = ''
  return async (path: string, body: unknown) => {
    const headers = { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin', cookie }
    const response = await fetch(`${url}/api/v1${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
    cookie = response.headers.getSetCookie()[0]?.split(';')[0] ?? cookie
    expect([path, response.status]).toEqual([path, 200])
    return (await response.json()) as Record<string, unknown>
  }
}

test('from a fresh hub to a host that serves, without a secret being typed', async () => {
  spawn('gpuhub', ['serve'], 'hub.log')
  const link = await until(
    'the hub prints its link',
    () => /http\S+first-admin\?ticket=(\w+)/.exec(said('hub.log')),
    60_000,
  )
  expect(link[0]).toStartWith(url)
  const admin = browser()
  await admin('/first-admin', { ticket: link[1], email: 'root@example.com', password: PASSWORD })

  const made = await admin('/admin/invitations', { email: 'owner@example.com', roles: ['host'] })
  const owner = browser()
  const invitation = String(made.link).split('invitation=')[1]
  const wish = { email: 'owner@example.com', password: PASSWORD, country: 'US', terms: { host: '1' }, invitation }
  expect(await owner('/sign-up', wish)).toEqual({ next: 'done' })

  const joining = spawn(
    'gpuhost',
    ['login', '--hub', url, '--simulate-gpu', 'RTX 4090', '--name', 'attic', '--json'],
    'login.log',
  )
  const code = await until('a code is shown', () => /Type +(\S+)/.exec(said('login.log'))?.[1], 60_000)
  const seen = await owner('/device/lookup', { code })
  expect(seen).toMatchObject({ name: 'attic', gpu: 'NVIDIA RTX 4090', address: '127.0.0.1' })
  await owner(`/device/${String(seen.id)}/approval`, {})
  expect(await joining.exited).toBe(0)
  expect(said('login.log')).toContain('"owner": "owner@example.com"')
  expect(said('login.log')).not.toContain('gph_')

  spawn('gpuhost', ['start', '--foreground', '--model', 'gpuhub/emulator', '--simulate-gpu', 'RTX 4090'], 'host.log')
  const hosts = () => command<{ owner: string; state: string }[]>('hosts')
  await until('the host is ready', async () => (await hosts()).some(({ state }) => state === 'ready'), 60_000)
  expect(await hosts()).toMatchObject([{ owner: 'owner@example.com', state: 'ready' }])
  // Without a mail server letters are logged; nothing else of the people who came may be.
  expect(said('hub.log')).not.toMatch(/four words|gph_|ghs_|ghd_/)
})
