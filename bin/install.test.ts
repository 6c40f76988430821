// install.sh as a stranger runs it, from a hub that serves a folder of releases. What is installed is a script that notes
// how it was called; `bun run test:install` does the same with the real program in a bare Debian.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import installer from '../deploy/install.sh' with { type: 'text' }
import { serveHub, type ServedHub } from '../host/hub/testing.ts'
import { releaseTargets } from '../sdk/release.ts'
import { machineKey, publicKeyOf } from '../sdk/wire/machine-key.ts'
import { signRelease } from './release.ts'

setDefaultTimeout(60_000)

const DAY_MS = 24 * 60 * 60_000
const TOKEN = 'gph_a-secret-that-nobody-else-may-read'
const [current, next, stranger] = [1, 2, 3].map((seed) => machineKey(new Uint8Array(32).fill(seed)))
let hub: ServedHub
let script: string
const folders: string[] = []
const folder = (name: string) => {
  const path = mkdtempSync(join(tmpdir(), `gpuhost-${name}-`))
  folders.push(path)
  return path
}
const releases = folder('releases')

beforeAll(async () => {
  const keys = [current!, next!].map(publicKeyOf)
  hub = await serveHub({ releases: { from: releases, installer, keys }, config: { strangerRpm: 0 } })
  release()
  script = await (await fetch(`${hub.url}/install.sh`)).text()
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
  for (const path of folders) rmSync(path, { recursive: true, force: true })
})

/** Notes its words, and whether it was handed the token; `uninstall` is the real one’s, as far as it matters here. */
const programText = (version: string) => `#!/bin/sh
echo "${version} $* token=\${GPUHOST_TOKEN:-none}" >>"$NOTES"
case "$1" in uninstall) rm -rf "$HOME/.gpuhost" "$HOME/.local/bin/gpuhost" ;; esac
`

interface Offered {
  version?: string
  key?: typeof current
  now?: number
  /** What is sent in place of the program. */
  sent?: Uint8Array
}

function release({ version = '0.2.0', key = current, now = Date.now(), sent }: Offered = {}): void {
  const place = join(releases, version)
  mkdirSync(place, { recursive: true })
  const program = Bun.gzipSync(programText(version))
  for (const target of releaseTargets) writeFileSync(join(place, `gpuhost-${target}.gz`), program)
  signRelease({ folder: releases, version, keys: [key!], now, daysValid: 1, rolloutPercent: 100 })
  if (sent) for (const target of releaseTargets) writeFileSync(join(place, `gpuhost-${target}.gz`), sent)
}

interface Run {
  home?: string
  /** Its TMPDIR. */
  temporary?: string
  words?: string[]
  variables?: Record<string, string>
  stdin?: string
  path?: string
  shell?: string
}

/** Without a terminal, and with nothing but a PATH. */
async function install({
  home = folder('home'),
  temporary = folder('temporary'),
  words = ['--user'],
  variables = {},
  path = process.env.PATH ?? '',
  stdin,
  shell = 'sh',
}: Run = {}) {
  const file = join(folder('script'), 'install.sh')
  writeFileSync(file, script)
  const notes = join(folder('notes'), 'notes')
  const child = Bun.spawn([shell, ...(stdin === undefined ? ['-s', '--'] : [file]), ...words], {
    stdin: Buffer.from(stdin ?? script),
    stdout: 'pipe',
    stderr: 'pipe',
    env: { PATH: path, HOME: home, TMPDIR: temporary, NOTES: notes, ...variables },
  })
  const [out, said] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  const calls = existsSync(notes) ? readFileSync(notes, 'utf8').trim().split('\n') : []
  return { home, code: await child.exited, said: out + said, calls }
}

const versionIn = (home: string) => readlinkSync(join(home, '.gpuhost', 'program', 'current'))

test('an empty home gets the program and its command, and nothing is left elsewhere', async () => {
  const temporary = folder('temporary')
  const { home, code, said } = await install({ temporary })
  expect([code, said]).toEqual([0, expect.stringContaining(`Next: ${home}/.local/bin/gpuhost setup --hub ${hub.url}`)])
  expect(versionIn(home)).toBe('versions/0.2.0')
  expect(readFileSync(join(home, '.local', 'bin', 'gpuhost'), 'utf8')).toBe(programText('0.2.0'))
  expect(readdirSync(home).sort()).toEqual(['.gpuhost', '.local'])
  expect(readdirSync(temporary)).toEqual([])
})

test('run again it changes nothing, brings what is older up to date, and takes nothing back', async () => {
  const { home } = await install()
  const again = await install({ home })
  expect([again.code, again.said]).toEqual([0, expect.stringContaining('0.2.0 is here already')])
  release({ version: '0.10.0' })
  expect((await install({ home, shell: 'bash' })).code).toBe(0)
  expect(versionIn(home)).toBe('versions/0.10.0')
  release({ version: '0.2.0' })
  expect((await install({ home })).said).toContain('0.10.0 is here already')
  expect(versionIn(home)).toBe('versions/0.10.0')
})

test('a rehearsal says what it would do and does nothing', async () => {
  for (const words of [
    ['--dry-run', '--user', '--', '--model', 'a/b'],
    ['--dry-run', '--system'],
    ['--dry-run', '--uninstall', '--user'],
  ]) {
    const { home, code, said } = await install({ words })
    expect([code, said]).toEqual([0, expect.stringContaining('Nothing was done')])
    expect(readdirSync(home)).toEqual([])
  }
})

describe('nothing is installed from', () => {
  const rows: [string, Offered, string][] = [
    ['a release of a stranger', { key: stranger }, 'not signed'],
    ['one that has expired', { now: Date.now() - 2 * DAY_MS }, 'expired'],
    ['a program of another content', { sent: Bun.gzipSync(programText('0.2.1')) }, 'not what was signed'],
    ['a program that is longer', { sent: new Uint8Array(10_000) }, 'cannot be fetched'],
    ['a program cut short', { sent: Bun.gzipSync(programText('0.2.0')).subarray(0, 50) }, 'another size'],
  ]
  test.each(rows)('%s', async (_, offered, why) => {
    release(offered)
    const { home, code, said } = await install()
    release()
    expect([code, said]).toEqual([1, expect.stringContaining(why)])
    expect(readdirSync(home)).toEqual([])
  })

  test('a program that does not work on this machine', async () => {
    const broken = Bun.gzipSync('#!/bin/sh\nexit 1\n')
    for (const target of releaseTargets) writeFileSync(join(releases, '0.2.0', `gpuhost-${target}.gz`), broken)
    signRelease({
      folder: releases,
      version: '0.2.0',
      keys: [current!],
      now: Date.now(),
      daysValid: 1,
      rolloutPercent: 100,
    })
    const { home, code, said } = await install()
    release()
    expect([code, said]).toEqual([1, expect.stringContaining('does not work on this machine')])
    expect(readdirSync(home)).toEqual([])
  })
})

test('a release signed by the next key is as good', async () => {
  release({ key: next })
  const { code } = await install()
  release()
  expect(code).toBe(0)
})

test('of a script that did not arrive whole, nothing is done', async () => {
  const lines = script.split('\n')
  const cuts = lines.map((_, at) => lines.slice(0, at).join('\n')).slice(1, -1)
  const lastLine = script.trimEnd().split('\n').at(-1)!
  // The last line alone begins anything, so of it every byte counts.
  for (let length = 0; length < lastLine.length; length++)
    cuts.push(script.trimEnd().slice(0, script.trimEnd().length - lastLine.length + length))
  const home = folder('home')
  const temporary = folder('temporary')
  const queue = [...cuts]
  const lane = async () => {
    for (let cut = queue.pop(); cut !== undefined; cut = queue.pop()) {
      const child = Bun.spawn(['sh', '-s', '--', '--user'], {
        stdin: Buffer.from(cut),
        stdout: 'ignore',
        stderr: 'ignore',
        env: { PATH: process.env.PATH, HOME: home, TMPDIR: temporary },
      })
      await child.exited
    }
  }
  await Promise.all([lane(), lane(), lane()])
  expect(cuts.length).toBeGreaterThan(250)
  expect([readdirSync(home), readdirSync(temporary)]).toEqual([[], []])
})

describe('a token', () => {
  test.each([
    [
      'of the environment',
      { variables: { GPUHOST_TOKEN: TOKEN }, words: ['--user', '--', '--model', 'Qwen/Qwen3-8B', '--name', 'a b'] },
    ],
    [
      'of the standard input',
      { stdin: `${TOKEN}\n`, words: ['--user', '--token-stdin', '--', '--model', 'Qwen/Qwen3-8B', '--name', 'a b'] },
    ],
  ] satisfies [string, Run][])('%s goes to the service alone, and never into arguments', async (_, run) => {
    const { code, said, calls } = await install(run)
    expect([code, calls]).toEqual([
      0,
      [
        '0.2.0 self-test token=none',
        `0.2.0 service install --hub ${hub.url} --model Qwen/Qwen3-8B --name a b token=${TOKEN}`,
      ],
    ])
    expect(said).not.toContain(TOKEN)
  })

  test('in the arguments is refused', async () => {
    expect(await install({ words: ['--user', '--token', TOKEN] })).toMatchObject({ code: 2, calls: [] })
  })
})

test('without openssl the checksum over the line has to do, and that is said', async () => {
  const path = folder('path')
  for (const tool of [
    'sh',
    'uname',
    'grep',
    'curl',
    'sed',
    'mktemp',
    'readlink',
    'sort',
    'gzip',
    'sha256sum',
    'date',
    'wc',
    'cat',
    'rm',
    'mkdir',
    'cp',
    'mv',
    'ln',
    'chmod',
    'basename',
    'dirname',
    'tail',
    'id',
    'sync',
    'tr',
  ])
    symlinkSync(Bun.which(tool)!, join(path, tool))
  const { home, code, said } = await install({ path })
  expect([code, said]).toEqual([0, expect.stringContaining('the signature is not checked')])
  expect(versionIn(home)).toBe('versions/0.2.0')
  rmSync(join(path, 'curl'))
  expect(await install({ path })).toMatchObject({ code: 3, said: expect.stringContaining('curl or wget is missing') })
})

test('what is not known is not done', async () => {
  const { home, code, said } = await install({ words: ['--usr'] })
  expect([code, said, readdirSync(home)]).toEqual([2, expect.stringContaining('--usr is not known'), []])
})

test('removed again, it leaves nothing', async () => {
  const { home } = await install()
  const { code, calls } = await install({ home, words: ['--uninstall', '--user'] })
  expect([code, calls]).toEqual([0, ['0.2.0 uninstall --yes token=none']])
  expect((await install({ home, words: ['--uninstall', '--user'] })).said).toContain('is not installed')
})
