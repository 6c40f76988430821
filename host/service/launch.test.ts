// The launcher with programs that are scripts: what it starts, what it starts again, and when it goes back.
import { afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../../sdk/testing.ts'
import { confirm, currentVersion, failedAt, place, swap, trialOf } from '../update/program.ts'
import { installedAt } from '../update/testing/releases.ts'

setDefaultTimeout(60_000)

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

/**
 * Each start appends a line to `starts`; then the script of that version goes on. By then it obeys a stop: a shell that is
 * told before its trap is set would just end.
 */
function world(scripts: Record<string, string>, trialSeconds = 60) {
  const home = mkdtempSync(join(tmpdir(), 'gpuhost-launch-'))
  cleanups.push(() => rmSync(home, { recursive: true, force: true }))
  const program = { folder: join(home, 'program') }
  const write = (path: string, version: string) => {
    writeFileSync(
      path,
      `#!/bin/sh\ntrap "exit 0" TERM\necho "${version} $*" >>"$GPUHOST_HOME/starts"\n${scripts[version]}\n`,
    )
    chmodSync(path, 0o755)
  }
  installedAt(program, '0.2.0')
  write(join(program.folder, 'versions', '0.2.0', 'gpuhost'), '0.2.0')
  return {
    home,
    program,
    starts: () =>
      existsSync(join(home, 'starts')) ? readFileSync(join(home, 'starts'), 'utf8').trim().split('\n') : [],
    upgrade(version: string) {
      mkdirSync(join(program.folder, 'download'), { recursive: true })
      const file = join(program.folder, 'download', 'gpuhost')
      write(file, version)
      place(program, version, file)
      swap(program, version)
    },
    launch() {
      const child = Bun.spawn(['sh', join(import.meta.dir, 'launch.sh'), 'start', '--model', 'a b'], {
        env: { PATH: process.env.PATH, GPUHOST_HOME: home, GPUHOST_TRIAL_SECONDS: String(trialSeconds) },
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      cleanups.push(() => child.kill('SIGKILL'))
      return child
    },
  }
}

const RUNS = 'while :; do sleep 0.05; done'

test.each([0, 2, 3])('a program that ends with %i is not started again', async (code) => {
  const { launch, starts } = world({ '0.2.0': `exit ${code}` })
  expect(await launch().exited).toBe(code)
  expect(starts()).toEqual(['0.2.0 start --model a b'])
})

test('one that fails is', async () => {
  const { home, launch, starts } = world({
    '0.2.0': `[ -e "$GPUHOST_HOME/second" ] && exit 0; : >"$GPUHOST_HOME/second"; exit 1`,
  })
  expect(await launch().exited).toBe(0)
  expect([starts().length, existsSync(join(home, 'second'))]).toEqual([2, true])
})

test('a stop is passed on and waited for, and one that had to kill is no crash', async () => {
  const { home, launch } = world({
    '0.2.0': `trap "sleep 0.3; : >$GPUHOST_HOME/drained; exit 0" TERM; : >"$GPUHOST_HOME/trapped"; ${RUNS}`,
  })
  const launcher = launch()
  await until('it runs', () => existsSync(join(home, 'trapped')))
  launcher.kill('SIGTERM')
  expect(await launcher.exited).toBe(0)
  expect(existsSync(join(home, 'drained'))).toBe(true)

  const killed = world({ '0.2.0': `echo $$ >"$GPUHOST_HOME/pid"; ${RUNS}` })
  const other = killed.launch()
  await until(
    'it runs',
    () => existsSync(join(killed.home, 'pid')) && readFileSync(join(killed.home, 'pid'), 'utf8') !== '',
  )
  writeFileSync(join(killed.home, 'stopping'), '')
  process.kill(Number(readFileSync(join(killed.home, 'pid'), 'utf8')), 'SIGKILL')
  expect(await other.exited).toBe(0)
  expect(killed.starts().length).toBe(1)
})

test('while it waits to try again, a stop ends it, and a later launcher takes over', async () => {
  const { home, launch, starts } = world({ '0.2.0': 'exit 1' })
  const first = launch()
  await until('it has failed a few times', () => starts().length > 1)
  const second = launch()
  expect(await first.exited).toBe(0)
  await until('the second tries', () => starts().length > 3)
  writeFileSync(join(home, 'stopping'), '')
  expect(await second.exited).toBe(0)
})

test('a newer program that asks for it takes over, and stays once it has proven itself', async () => {
  const { program, launch, starts, upgrade } = world({
    '0.2.0': '[ -e "$GPUHOST_HOME/program/trial" ] && exit 75; sleep 0.05; exec "$0"',
    '0.3.0': RUNS,
  })
  const launcher = launch()
  await until('it runs', () => starts().length > 0)
  upgrade('0.3.0')
  await until('the newer runs', () => starts().at(-1)?.startsWith('0.3.0'))
  confirm(program)
  launcher.kill('SIGTERM')
  expect(await launcher.exited).toBe(0)
  expect([currentVersion(program), trialOf(program)]).toEqual(['0.3.0', null])
})

test('a newer program that says nothing for too long is left again, and so is one that ends', async () => {
  for (const script of [RUNS, 'exit 1', 'exit 0', 'kill -SEGV $$', 'trap "" TERM; exit 3']) {
    const { program, launch, starts, upgrade } = world({ '0.2.0': RUNS, '0.3.0': script }, 1)
    upgrade('0.3.0')
    const launcher = launch()
    await until('the one before runs', () => starts().at(-1)?.startsWith('0.2.0'))
    expect([currentVersion(program), trialOf(program)]).toEqual(['0.2.0', null])
    expect(failedAt(program, '0.3.0')).not.toBeNull()
    expect(starts().filter((line) => line.startsWith('0.3.0'))).toHaveLength(1)
    launcher.kill('SIGTERM')
    expect(await launcher.exited).toBe(0)
  }
})

test('a swap that did not come to its end puts nobody on trial', async () => {
  const { program, launch, starts } = world({ '0.2.0': 'exit 0' })
  writeFileSync(join(program.folder, 'trial'), '0.3.0 0.2.0\n')
  expect(await launch().exited).toBe(0)
  expect([currentVersion(program), starts().length]).toEqual(['0.2.0', 1])
})
