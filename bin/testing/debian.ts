// Run by `bun run test:install`: a bare Debian becomes a host, earns, is updated, is saved from a broken update, and is
// bare again. The hub is on the machine around it; both share the network.
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { chmodSync, copyFileSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createPrivateKey } from 'node:crypto'
import { join } from 'node:path'
import { releaseTargets } from '../../sdk/release.ts'
import { until } from '../../sdk/testing.ts'
import { freePort } from '../free-port.ts'
import { signRelease } from '../release.ts'

const folder = process.env.GPUHUB_INSTALL_TEST ?? ''
const root = join(folder, 'root')
const releases = join(folder, 'releases')
const MODEL = 'gpuhub/emulator'
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const START = ['--', '--model', MODEL, '--simulate-gpu', 'RTX 4090']

let url: string
let token: string
let key: string
let hub: Bun.Subprocess
let machine: Machine
let bare: string[]

beforeAll(async () => {
  mkdirSync(root)
  await Bun.$`tar -xf ${process.env.GPUHUB_DEBIAN} -C ${root}`
  machine = await boot()
  release('0.2.0')
  const port = await freePort()
  url = `http://127.0.0.1:${port}`
  const settings = {
    ...{ GPUHUB_DATA: join(folder, 'data'), GPUHUB_RELEASES: releases, GPUHUB_ALLOW_SIMULATED: '1' },
    // More happens here in a minute than one address may ask for.
    GPUHUB_STRANGER_RPM: '0',
  }
  const env = { PATH: process.env.PATH, HOME: folder, ...settings }
  const gpuhub = join(folder, 'gpuhub')
  hub = Bun.spawn([gpuhub, 'serve', '--port', String(port)], {
    env,
    stdio: ['ignore', 'ignore', openSync(join(folder, 'hub.log'), 'a')],
  })
  await until(
    'the hub is ready',
    () =>
      fetch(`${url}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      ),
    60_000,
  )
  const command = async <T>(...words: string[]) => (await Bun.$`${gpuhub} ${words} --json`.env(env).quiet().json()) as T
  await command('user', 'add', 'berlin@example.com', '--role', 'host')
  token = (await command<{ token: string }>('host-token', 'add', 'berlin@example.com')).token
  await command('user', 'add', 'ada@example.com', '--role', 'client', '--credit', '5.00')
  key = (await command<{ key: string }>('key', 'add', 'ada@example.com')).key
  bare = await filesIn()
})

afterAll(async () => {
  machine?.unshare.kill('SIGKILL')
  hub?.kill()
  await Promise.all([machine?.unshare.exited, hub?.exited])
})

interface Machine {
  unshare: Bun.Subprocess
  /** Its first process, by the number it has outside. */
  first: number
}

/** Processes and mounts of its own: it sees nothing of the machine around it, and all of it ends with its first process. */
async function boot(): Promise<Machine> {
  // The shell waits for orphans, as an init does.
  const init = 'mount -t proc proc /proc && echo up && while :; do sleep 1000 & wait; done'
  const words = ['unshare', '--mount', '--pid', '--fork', '--kill-child', 'chroot', root, '/bin/sh', '-c', init]
  const unshare = Bun.spawn(words, { env: { PATH }, stdio: ['ignore', 'pipe', 'inherit'] })
  for await (const said of unshare.stdout) {
    expect(Buffer.from(said).toString()).toBe('up\n')
    break
  }
  const first = Number(readFileSync(`/proc/${unshare.pid}/task/${unshare.pid}/children`, 'utf8'))
  expect(first).toBeGreaterThan(0)
  return { unshare, first }
}

/** Offers that version; with `script`, one whose program is that. */
function release(version: string, script?: string): void {
  mkdirSync(join(releases, version), { recursive: true })
  for (const target of releaseTargets) {
    const file = join(releases, version, `gpuhost-${target}.gz`)
    if (script === undefined) copyFileSync(join(folder, 'built', version, 'gpuhost.gz'), file)
    else writeFileSync(file, Bun.gzipSync(script))
  }
  const keys = [createPrivateKey(readFileSync(join(folder, 'key.pem')))]
  signRelease({ folder: releases, version, keys, now: Date.now(), daysValid: 1, rolloutPercent: 100 })
}

/** In the Debian, as its root, with nothing in the environment but what is given. */
async function inside(script: string, variables: Record<string, string> = {}) {
  const enter = ['nsenter', '--target', String(machine.first), '--mount', '--pid', '--root', '--wd']
  const child = Bun.spawn([...enter, '/bin/sh', '-c', script], {
    env: { PATH, HOME: '/root', ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [out, said] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  return { code: await child.exited, out, said }
}

const install = (words: string, variables: Record<string, string> = {}) =>
  inside(`curl -fsSL ${url}/install.sh | sh -s -- ${words}`, variables)
const quoted = START.map((word) => `'${word}'`).join(' ')
const gpuhost = (words: string) => inside(`/root/.local/bin/gpuhost ${words}`)

interface Shown {
  state: string
  version: string
}

const status = async () => JSON.parse((await gpuhost('status --json')).out) as Shown
const serving = (version: string) =>
  until(
    `${version} serves`,
    async () => {
      const shown = await status().catch(() => null)
      return shown?.state === 'serving' && shown.version === version
    },
    120_000,
  )

async function ask(): Promise<number> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      model: MODEL,
      max_tokens: 8,
      messages: [{ role: 'user', content: 'Why is the sky blue?' }],
    }),
  })
  expect(response.status).toBe(200)
  return ((await response.json()) as { usage: { cost: number } }).usage.cost
}

/** All there is in the Debian, but for what the system itself writes. */
async function filesIn(): Promise<string[]> {
  const { out } = await inside(`find / -xdev -path /proc -prune -o -path /tmp -prune -o -print | sort`)
  return out
    .trim()
    .split('\n')
    .filter((path) => !/^\/(var\/log|var\/lib\/systemd|etc\/(passwd|group|shadow|gshadow|subuid|subgid)-?$)/.test(path))
}

test('from the install line to the first paid token, unattended', async () => {
  const begun = performance.now()
  const { code, said } = await install(`--user ${quoted}`, { GPUHOST_TOKEN: token, GPUHOST_TRIAL_SECONDS: '8' })
  expect([code, said]).toEqual([0, expect.stringContaining('gpuhost 0.2.0 is installed')])
  expect(await ask()).toBeGreaterThan(0)
  console.error(`install line to paid answer: ${((performance.now() - begun) / 1_000).toFixed(1)} s`)
  expect((await gpuhost('service status --json')).out).toContain('"keeper": "launcher"')
  const { out } = await inside('cat /proc/[0-9]*/cmdline | tr "\\0" " "')
  expect(out).toContain('program/launch')
  expect(out).not.toContain(token)
})

test('an agent that crashes is back by itself', async () => {
  const { pid } = JSON.parse((await gpuhost('status --json')).out) as { pid: number }
  await inside(`kill -9 ${pid}`)
  await until(
    'another process serves',
    async () => {
      const shown = (await status().catch(() => null)) as (Shown & { pid: number }) | null
      return shown?.state === 'serving' && shown.pid !== pid
    },
    60_000,
  )
  expect(await ask()).toBeGreaterThan(0)
})

test('a newer release is installed, takes over, and stays', async () => {
  release('0.3.0')
  expect((await gpuhost(`update --check --json --hub ${url}`)).out).toContain('"state": "there"')
  const { code, out, said } = await gpuhost(`update --json --hub ${url}`)
  expect([code, said, out]).toEqual([0, expect.anything(), expect.stringContaining('"state": "installed"')])
  await serving('0.3.0')
  await until(
    'it has proven itself',
    async () => (await inside('ls /root/.gpuhost/program')).out.includes('trial') === false,
    30_000,
  )
  expect(await ask()).toBeGreaterThan(0)
})

test('one that works, and never reaches its hub, is left again by itself', async () => {
  release(
    '0.4.0',
    '#!/bin/sh\ncase $1 in self-test) echo \'{"version":"0.4.0"}\' ;; start) exec sleep 1000 ;; *) exit 1 ;; esac\n',
  )
  expect((await gpuhost(`update --json --hub ${url}`)).out).toContain('"state": "installed"')
  // The one before serves until it has left, and again once the newer one was given up.
  await until(
    'the newer one was given up',
    async () => (await inside('ls /root/.gpuhost/program/failed')).out === '0.4.0\n',
    60_000,
  )
  await serving('0.3.0')
  expect((await inside('readlink /root/.gpuhost/program/current')).out).toBe('versions/0.3.0\n')
  expect(await ask()).toBeGreaterThan(0)
})

test('what cannot start is said and given up, and a service goes on trying', async () => {
  await gpuhost('stop')
  const start = `--hub ${url} --model nobody/sells-this --simulate-gpu 'RTX 4090'`
  const variables = { GPUHOST_TOKEN: token }
  const tried = await inside(`/root/.local/bin/gpuhost start ${start}`, variables)
  expect([tried.code, tried.said]).toEqual([1, expect.stringContaining('does not offer nobody/sells-this')])
  const processes = async () => (await inside('cat /proc/[0-9]*/cmdline | tr "\\0" " "')).out
  expect(await processes()).not.toContain('program/launch start')
  const served = await inside(`/root/.local/bin/gpuhost service install ${start}`, variables)
  expect([served.code, served.said]).toEqual([1, expect.stringContaining('It is tried again, until gpuhost stop')])
  expect(await processes()).toContain('program/launch start')
  await gpuhost('stop')
  await until('nothing tries any more', async () => !(await processes()).includes('program/launch start'), 90_000)
  expect((await inside(`/root/.local/bin/gpuhost start --hub ${url} ${quoted.slice(5)}`, variables)).code).toBe(0)
})

test('a stop stays one, and removal leaves nothing', async () => {
  expect((await gpuhost('stop --json')).out).toContain('"wasRunning": true')
  await until(
    'no process of it is left',
    async () => !(await inside('cat /proc/[0-9]*/cmdline | tr "\\0" " "')).out.includes('.gpuhost/program'),
    30_000,
  )
  const { code } = await install('--uninstall --user')
  expect(code).toBe(0)
  expect(await filesIn()).toEqual(bare)
})

test('as a service of the machine it has a user of its own, and removal leaves nothing', async () => {
  release('0.2.0')
  expect((await install('--system')).said).toContain('no systemd here')
  // What stands for systemd notes what it is told.
  await inside('mkdir -p /run/systemd/system')
  const systemctl = join(root, 'usr', 'bin', 'systemctl')
  writeFileSync(systemctl, '#!/bin/sh\necho "$*" >>/tmp/systemctl\n')
  chmodSync(systemctl, 0o755)
  const before = await filesIn()
  const { code, said } = await install(`--system ${quoted}`, { GPUHOST_TOKEN: token })
  expect([code, said]).toEqual([0, expect.stringContaining('gpuhost 0.2.0 is installed')])
  expect((await inside('cat /tmp/systemctl')).out.split('\n')).toEqual([
    'daemon-reload',
    'enable gpuhost.service',
    'restart gpuhost.service',
    '',
  ])
  expect(
    (
      await inside(
        'stat -c "%U %a" /var/lib/gpuhost /var/lib/gpuhost/program/current/gpuhost /etc/gpuhost/environment /usr/local/bin/gpuhost /usr/local/lib/gpuhost/launch',
      )
    ).out,
  ).toBe('gpuhost 700\ngpuhost 755\nroot 600\nroot 755\nroot 755\n')
  const unit = readFileSync(join(root, 'etc/systemd/system/gpuhost.service'), 'utf8')
  expect(unit).toContain(
    `ExecStart=/usr/local/lib/gpuhost/launch start --foreground --hub ${url} --model ${MODEL} --simulate-gpu "RTX 4090"\n`,
  )
  expect(unit).not.toContain(token)
  // Root’s word is carried out by the service’s own user.
  expect((await inside('cd /root && gpuhost doctor --json; stat -c %U /var/lib/gpuhost/machine')).out).toContain(
    'gpuhost',
  )
  expect((await inside('gpuhost version')).out).toContain('gpuhost 0.2.0')
  // What systemd would start, started by hand, serves.
  const service = inside(
    'exec runuser -u gpuhost -- env GPUHOST_HOME=/var/lib/gpuhost $(sed -n "s/^ExecStart=//p" /etc/systemd/system/gpuhost.service | sed "s/ --simulate.*//") --simulate-gpu A10',
    { GPUHOST_TOKEN: token },
  )
  const ended = service.then(({ code, said }) => Promise.reject(new Error(`it ended (${code}): ${said}`)))
  const served = async () => (await inside('gpuhost status --json')).out.includes('"serving"')
  await Promise.race([until('it serves', served, 60_000), ended])
  expect(await ask()).toBeGreaterThan(0)
  expect((await inside('gpuhost stop --json')).out).toContain('"wasRunning": true')
  expect((await service).code).toBe(0)
  expect((await install('--uninstall --system')).code).toBe(0)
  expect(await filesIn()).toEqual(before)
  expect((await inside('getent passwd gpuhost; getent group gpuhost')).out).toBe('')
  rmSync(systemctl)
})
