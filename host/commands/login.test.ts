import { plainCard } from '../hardware/card.ts'
import { afterEach, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { signedIn } from '../../hub/gateway/people/testing.ts'
import type { Hub } from '../../hub/hub.ts'
import { addInvitation } from '../../hub/identity/invitations.ts'
import { HUB_URL, startHub, type TestHub } from '../../hub/testing.ts'
import { socketPair, until, type VirtualEnv, virtualEnv } from '../../sdk/testing.ts'
import { type Home, homeAt } from '../config.ts'
import { linkProver, savedLogin } from '../login.ts'
import { login, type LoginWorld } from './login.ts'

let hub: TestHub | undefined
const folders: string[] = []
afterEach(async () => {
  await hub?.[Symbol.asyncDispose]()
  hub = undefined
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

interface Machine {
  home: Home
  env: VirtualEnv
  said: string[]
  world: LoginWorld
}

/** A machine whose requests reach `answer`. */
function machine(answer: LoginWorld['fetch']): Machine {
  const folder = mkdtempSync(join(tmpdir(), 'gpuhost-login-'))
  folders.push(folder)
  const home = homeAt({ GPUHOST_HOME: folder })
  const env = virtualEnv({ now: Date.UTC(2026, 10, 23), seed: folders.length })
  const said: string[] = []
  const say = (line: string) => void said.push(line)
  const survey = async () => ({ cards: [plainCard('NVIDIA RTX 4090', 24 * 2 ** 30)] })
  return { home, env, said, world: { env, home, version: '0.1.0', fetch: answer, survey, say, progress: () => {} } }
}

const toHub =
  (it: TestHub): LoginWorld['fetch'] =>
  async (url, init) => {
    const server = { timeout() {}, requestIP: () => ({ address: '198.51.100.7' }) } as unknown as Parameters<
      Hub['fetch']
    >[1]
    return (await it.hub.fetch(new Request(url, init), server))!
  }

const settings = { hub: HUB_URL, name: 'attic', simulateGpu: 'RTX 4090' }
const codeIn = (said: string[]) => /Type {3}(\S+)/.exec(said.join('\n'))?.[1]

test('the owner types the code, approves, and the machine may link; nobody else with its token', async () => {
  hub = await startHub()
  const owner = await signedIn(hub, 'owner@example.com', 'host')
  const it = machine(toHub(hub))
  const done = login(settings, it.world)
  const code = await until('a code is shown', () => codeIn(it.said))
  expect(it.said.join('\n')).toContain(`Open   ${HUB_URL}/device`)
  expect(it.said.join('\n')).toContain('“attic” with NVIDIA RTX 4090')
  const { body: seen } = await owner.post('/api/v1/device/lookup', { code })
  expect(seen).toMatchObject({ name: 'attic', gpu: 'NVIDIA RTX 4090', agent: '0.1.0', address: '198.51.100.7' })
  await owner.post(`/api/v1/device/${String(seen.id)}/approval`)
  hub.env.jump(5_000)
  await it.env.advance(5_000)
  const saved = await done
  expect(saved).toEqual({ hub: HUB_URL, tokenId: expect.stringMatching(/^token_/), owner: 'owner@example.com' })

  const kept = savedLogin(it.home)
  expect(kept).toMatchObject(saved)
  const token = kept?.token ?? ''
  for (const file of ['login.json', 'key']) expect(statSync(join(it.home.path, file)).mode & 0o077).toBe(0)
  expect(it.said.join('\n')).not.toContain(token)
  const { door } = hub.hub
  const { socket } = socketPair(hub.env).right
  expect(await door.receive(token, socket, linkProver(it.home, it.env)(token)).then(() => 'linked')).toBe('linked')
  const other = machine(toHub(hub))
  writeFileSync(join(other.home.path, 'key'), 'ab'.repeat(32))
  const stolen = door.receive(token, socket, linkProver(other.home, it.env)(token))
  expect(await stolen.catch((error) => error.code)).toBe('invalid_api_key')
})

test('where new owners need an invitation its code is typed at the machine, judged there, and goes along to the page', async () => {
  hub = await startHub()
  const office = { env: hub.env, db: hub.world.db, url: HUB_URL, sends: false }
  const made = async (...roles: ('client' | 'host')[]) =>
    (await addInvitation(office, 'command line', { roles, credit: 0n })).link
  const link = await made('host')
  const secret = link.split('invitation=')[1] ?? ''
  const it = machine(toHub(hub))
  const answers = ['ghi_wrong', await made('client'), ` ${link} `]
  const asked: string[] = []
  const ask = async (question: string) => (asked.push(question), answers.shift() ?? null)
  const done = login(settings, { ...it.world, ask }).catch((error) => error.message)
  await until('a code is shown', () => codeIn(it.said))
  expect(asked).toHaveLength(3)
  const said = it.said.join('\n')
  expect(said).toContain('This invitation is not valid')
  expect(said).toContain('not for owners of hosts')
  expect(said).toContain(`without an account there yet: ${link}`)
  expect(said).toContain(`Open   ${HUB_URL}/device?invitation=${secret}`)
  await it.env.advance(11 * 60_000)
  expect(await done).toContain('Nobody typed the code in time')

  // Given beforehand, nobody is asked; a wrong one ends it.
  const other = machine(toHub(hub))
  const ended = await login({ ...settings, invitation: 'ghi_wrong' }, other.world).catch((error) => error.message)
  expect(ended).toContain('This invitation is not valid')
})

test('a refusal and a code that nobody typed end it, with words', async () => {
  hub = await startHub()
  const owner = await signedIn(hub, 'owner@example.com', 'host')
  const refused = machine(toHub(hub))
  const ended = login(settings, refused.world).catch((error) => error.message)
  const code = await until('a code is shown', () => codeIn(refused.said))
  const { body: seen } = await owner.post('/api/v1/device/lookup', { code })
  await owner.post(`/api/v1/device/${String(seen.id)}/refusal`)
  await refused.env.advance(5_000)
  expect(await ended).toBe('The owner did not let this machine join.')
  expect(savedLogin(refused.home)).toBeNull()

  const late = machine(toHub(hub))
  const waited = login(settings, late.world).catch((error) => error.message)
  await until('a code is shown', () => codeIn(late.said))
  hub.env.jump(600_000)
  await late.env.advance(5_000)
  expect(await waited).toBe('Nobody typed the code in time. Run gpuhost login again.')
})

test('a hub that is away for a moment, or in a hurry, is asked again later', async () => {
  const began = {
    device_code: 'd',
    user_code: 'BCDF-GHJK',
    verification_uri: 'https://hub.example/device',
    interval: 5,
  }
  const answers = [
    () => Response.json(began),
    () => Response.json({ error: 'authorization_pending' }, { status: 400 }),
    () => Promise.reject(new Error('connection reset')),
    () => new Response('bad gateway', { status: 502 }),
    () => Response.json({ error: 'slow_down' }, { status: 400 }),
    () => Response.json({ access_token: 'gph_x', token_type: 'gpuhost', id: 'token_1', owner: 'ada@example.com' }),
  ]
  const at: number[] = []
  const it = machine(async (_, { body }) => {
    expect(typeof body === 'string' ? body : '').toContain('client_id=gpuhost')
    at.push(it.env.mono())
    return answers.shift()!()
  })
  const done = login({ ...settings, hub: 'hub.example' }, it.world)
  await until('a code is shown', () => codeIn(it.said))
  for (const expected of [5, 10, 15, 20, 30]) {
    const before = at.length
    await it.env.advance(expected * 1_000 - it.env.mono())
    await until('it asked', () => at.length > before)
  }
  expect(await done).toMatchObject({ owner: 'ada@example.com', tokenId: 'token_1' })
  expect(at.map((ms) => ms / 1_000)).toEqual([0, 5, 10, 15, 20, 30])
})

test.each([
  ['is no hub', () => new Response('<html>'), 'does not answer as a hub does'],
  ['is not there', () => Promise.reject(new Error('ECONNREFUSED')), 'ECONNREFUSED'],
  ['answers for ever', () => new Response('x'.repeat(100_000)), 'the answer is too long'],
  [
    'refuses in its own words',
    () =>
      Response.json(
        { error: { code: 'rate_limit_exceeded', message: 'Too many\u001b[2J machines.' } },
        { status: 429 },
      ),
    'The hub says: Too many [2J machines.',
  ],
  ['leaves something out', () => Response.json({ device_code: 'd' }), 'left out "verification_uri"'],
])('a hub that %s is told apart', async (_, answer, message) => {
  const it = machine(async () => answer())
  expect(await login(settings, it.world).catch((error) => error.message)).toContain(message)
})

test('a key is made once, and a damaged file is said to be so', async () => {
  hub = await startHub()
  const it = machine(toHub(hub))
  const first = login(settings, it.world).catch(() => {})
  await until('a code is shown', () => codeIn(it.said))
  const key = readFileSync(join(it.home.path, 'key'), 'utf8')
  const again = machine(toHub(hub))
  const second = login(settings, { ...again.world, home: it.home }).catch(() => {})
  await until('a code is shown', () => codeIn(again.said))
  expect(readFileSync(join(it.home.path, 'key'), 'utf8')).toBe(key)
  writeFileSync(join(it.home.path, 'key'), 'nonsense')
  expect(await login(settings, it.world).catch((error) => error.message)).toContain('is damaged')
  writeFileSync(join(it.home.path, 'login.json'), '{')
  expect(() => savedLogin(it.home)).toThrow('Run gpuhost login again')
  hub.env.jump(600_000)
  await Promise.all([it.env.advance(5_000), again.env.advance(5_000)])
  await Promise.all([first, second])
})

test('a machine that never logged in has nothing to prove', () => {
  const it = machine(async () => new Response())
  expect(linkProver(it.home, it.env)('gph_x')).toBeNull()
})
