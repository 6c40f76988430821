import { afterEach, describe, expect, test } from 'bun:test'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemEnv } from '../../sdk/env.ts'
import { homeAt } from '../config.ts'
import systemText from './system.sh' with { type: 'text' }
import {
  installForMachine,
  installForUser,
  serviceStatus,
  type ServiceWorld,
  uninstallForUser,
  userSecrets,
} from './service.ts'
import { environmentText, quoted, readEnvironment, unitText } from './unit.ts'

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** What is asked of systemd is noted; `answers` by its last but one word. */
function world(answers: Record<string, { code: number; said: string }> = {}) {
  const root = mkdtempSync(join(tmpdir(), 'gpuhost-service-'))
  folders.push(root)
  const asked: string[] = []
  const service: ServiceWorld = {
    ...{ env: systemEnv, root, userFolder: join(root, 'home') },
    home: homeAt({ GPUHOST_HOME: join(root, 'home', '.gpuhost') }),
    run: (words) => {
      asked.push(words.join(' '))
      return Promise.resolve(answers[words.find((word) => word in answers) ?? ''] ?? { code: 0, said: '' })
    },
  }
  return {
    service,
    asked,
    read: (path: string) => readFileSync(join(root, path), 'utf8'),
    mode: (path: string) => statSync(join(root, path)).mode & 0o777,
  }
}

const wanted = {
  words: ['--hub', 'https://hub.example', '--name', 'the "big" one: 100% $HOME'],
  token: 'gph_secret',
  docker: false,
}

describe('a service of the machine', () => {
  test('is what its user may not change, and the token is root’s alone', async () => {
    const { service, asked, read, mode } = world()
    const umask = process.umask(0o077)
    await installForMachine(service, wanted).finally(() => process.umask(umask))
    expect(asked).toEqual([
      'systemctl daemon-reload',
      'systemctl enable gpuhost.service',
      'systemctl restart gpuhost.service',
    ])
    expect(read('etc/gpuhost/environment')).toBe('GPUHOST_TOKEN="gph_secret"\nGPUHOST_HUB="https://hub.example"\n')
    expect([
      mode('etc/gpuhost/environment'),
      mode('usr/local/lib/gpuhost'),
      mode('usr/local/lib/gpuhost/launch'),
    ]).toEqual([0o600, 0o755, 0o755])
    expect(mode('usr/local/bin/gpuhost')).toBe(0o755)
    const unit = read('etc/systemd/system/gpuhost.service')
    expect(unit).toContain('start --foreground --hub https://hub.example --name "the \\"big\\" one: 100%% $$HOME"\n')
    expect(unit).not.toContain('gph_secret')
  })

  test('without a token is enabled, and started once its owner has signed in', async () => {
    const { service, asked } = world()
    await installForMachine(service, { ...wanted, token: null })
    expect(asked).toEqual(['systemctl daemon-reload', 'systemctl enable gpuhost.service'])
  })

  test('says what systemd complained of', async () => {
    const { service } = world({ enable: { code: 1, said: 'Unit is masked.' } })
    expect(await installForMachine(service, wanted).catch(String)).toContain(
      'systemctl enable gpuhost.service failed (1): Unit is masked.',
    )
  })
})

test('a service of a user outlives its sessions, and goes without a trace', async () => {
  const { service, asked, read, mode } = world()
  await installForUser(service, wanted)
  expect(asked).toEqual([
    'loginctl enable-linger',
    'systemctl --user daemon-reload',
    'systemctl --user enable gpuhost.service',
    'systemctl --user restart gpuhost.service',
  ])
  expect([mode('home/.gpuhost/environment'), mode('home/.gpuhost/program/launch')]).toEqual([0o600, 0o755])
  expect(read('home/.config/systemd/user/gpuhost.service')).toContain(
    `ExecStart=${service.home.path}/program/launch start`,
  )
  expect(userSecrets(service.home)).toEqual({ GPUHOST_TOKEN: 'gph_secret', GPUHOST_HUB: 'https://hub.example' })
  expect(await serviceStatus(service)).toEqual({ keeper: 'user', enabled: false, agent: null })
  expect(await uninstallForUser(service)).toBe(true)
  expect(existsSync(join(service.userFolder, '.config/systemd/user/gpuhost.service'))).toBe(false)
  expect(existsSync(join(service.home.path, 'environment'))).toBe(false)
  expect(await uninstallForUser(service)).toBe(false)
  expect(userSecrets(service.home)).toEqual({})
})

/** The command of a machine's service, with all it does below `root`, by the programs of `bin`. */
function systemCommandIn(root: string, programs: Record<string, string>) {
  const bin = join(root, 'bin')
  for (const [name, text] of Object.entries(programs)) {
    mkdirSync(bin, { recursive: true })
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
  }
  const below = systemText.replaceAll(/(?<=[\s'"=])\/(var\/lib|etc|usr\/local)\//g, `${root}/$1/`)
  // It removes folders: none of them is this machine's.
  expect(below).not.toMatch(/(^|[\s'"=])\/(var|etc|usr)\//m)
  const path = join(root, 'gpuhost')
  writeFileSync(path, below, { mode: 0o755 })
  return (...words: string[]) => {
    const ran = Bun.spawnSync([path, ...words], { env: { PATH: `${bin}:${process.env.PATH}` } })
    return { code: ran.exitCode, said: ran.stdout.toString() + ran.stderr.toString() }
  }
}

test.each([
  ['with its token', true, 'leave gph_secret https://hub.example'],
  ['with what it got when it joined', false, 'leave none none'],
])('a machine’s service that is removed tells the hub first, as the agent’s user, %s', async (_, token, told) => {
  const { service } = world()
  const { root } = service
  const calls = join(root, 'calls')
  const note = (line: string) => `echo "${line}" >> ${calls}`
  const program = join(root, 'var/lib/gpuhost/program/current/gpuhost')
  mkdirSync(join(program, '..'), { recursive: true })
  writeFileSync(program, `#!/bin/sh\n${note('$* ${GPUHOST_TOKEN:-none} ${GPUHOST_HUB:-none}')}\nexit 1\n`, {
    mode: 0o755,
  })
  await installForMachine(service, { ...wanted, token: token ? wanted.token : null })
  const run = systemCommandIn(root, {
    id: 'case $1 in -un) echo root;; *) echo 0;; esac',
    systemctl: note('systemctl $1'),
    // `runuser -u gpuhost -- PROGRAM …`
    runuser: `${note('as $2')}\nshift 3\nexec "$@"`,
    getent: 'exit 1',
  })
  const gone = run('uninstall', '--yes')
  expect(gone).toMatchObject({ code: 0 })
  expect(readFileSync(calls, 'utf8').trim().split('\n')).toEqual([
    'systemctl disable',
    'systemctl daemon-reload',
    'as gpuhost',
    told,
  ])
  for (const path of ['var/lib/gpuhost', 'etc/gpuhost', 'usr/local/lib/gpuhost', 'usr/local/bin/gpuhost'])
    expect(existsSync(join(root, path))).toBe(false)
})

describe('a unit', () => {
  const options = {
    launcher: '/bin/true',
    home: '/var/lib/gpuhost',
    environmentFile: '/etc/gpuhost/environment',
    words: ['start'],
    docker: false,
  }

  test('takes any word as one', () => {
    expect(['plain/word:1', 'two words', '50%', '$HOME', 'a"b\\c'].map(quoted)).toEqual([
      'plain/word:1',
      '"two words"',
      '50%%',
      '"$$HOME"',
      '"a\\"b\\\\c"',
    ])
    expect(environmentText({ A: 'x$y"z' })).toBe('A="x\\$y\\"z"\n')
    const odd = { GPUHOST_TOKEN: 'a"b$c`d\\e', GPUHOST_HUB: 'https://hub.example' }
    expect(readEnvironment(environmentText(odd))).toEqual(odd)
  })

  test('may use the Docker engine only where its owner said so', () => {
    expect(unitText({ ...options, system: true })).not.toContain('docker\n')
    expect(unitText({ ...options, system: true, docker: true })).toContain('SupplementaryGroups=docker\n')
  })

  test.skipIf(!Bun.which('systemd-analyze'))('is understood by systemd, which finds it little exposed', () => {
    const folder = mkdtempSync(join(tmpdir(), 'gpuhost-unit-'))
    folders.push(folder)
    const path = join(folder, 'gpuhost.service')
    mkdirSync(folder, { recursive: true })
    writeFileSync(path, unitText({ ...options, system: true }))
    const analyze = (...words: string[]) => Bun.spawnSync(['systemd-analyze', ...words, path])
    const verified = analyze('verify', '--man=no')
    expect([verified.exitCode, verified.stderr.toString()]).toEqual([0, ''])
    const exposure = /Overall exposure level[^:]*: ([\d.]+)/.exec(
      analyze('security', '--offline=true').stdout.toString(),
    )
    expect(Number(exposure?.[1])).toBeLessThanOrEqual(2.5)
  })
})
