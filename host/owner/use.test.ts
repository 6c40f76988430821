import { afterAll, expect, test } from 'bun:test'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemEnv } from '../../sdk/env.ts'
import { askDriver } from '../hardware/driver.ts'
import {
  type FakeGpu,
  fakeMachine,
  type FakeMachine,
  machines,
  removeMachines,
  uuidOf,
} from '../hardware/testing/machines.ts'
import { lookFor } from './use.ts'

afterAll(removeMachines)

/** A machine with other work takes more than the two seconds that its owner would wait for a word. */
const patient = { ...systemEnv, timer: (ms: number, work: () => void) => systemEnv.timer(ms * 20, work) }

/** This test's own process stands for whoever is on the card: it is one that runs. */
const someone = process.pid
const [card] = machines['one 4090'].gpus

function withProcesses(processes: FakeGpu['processes']): FakeMachine {
  return { ...machines['one 4090'], gpus: [{ ...card!, processes }] }
}

function look(
  machine: FakeMachine,
  changes: { own?: number[]; gpus?: string[]; processes?: boolean; gamemoded?: string; loginctl?: string } = {},
) {
  const { nvidiaSmi } = fakeMachine(machine, { library: false })
  const { own = [], gpus, processes = true, gamemoded = 'no-gamemoded-here', loginctl } = changes
  return lookFor({
    ...{ env: patient, processes, gamemoded, loginctl, own: async () => new Set(own) },
    cards: () => askDriver(systemEnv, { reader: ['false'], library: '/nowhere/libnvidia-ml.so.1', nvidiaSmi }),
    gpus: gpus ? new Set(gpus) : null,
  })({ session: loginctl !== undefined })
}

const renders = { pid: someone, name: '/opt/blender/blender', usedMib: 4_000 }

test('a program that computes on the card uses it, our own engine does not', async () => {
  expect(await look(withProcesses([renders]))).toEqual({ by: 'blender' })
  expect(await look(withProcesses([renders]), { own: [someone] })).toBeNull()
  expect(await look(withProcesses([renders]), { gpus: [uuidOf(0)] })).toEqual({ by: 'blender' })
})

test('small programs, cards not on offer, programs that are gone, and engines of the owner’s do not count', async () => {
  expect(await look(withProcesses([{ ...renders, usedMib: 200 }]))).toBeNull()
  const two = { ...machines['two 3090'], gpus: [{ ...card!, processes: [renders] }, card!] }
  expect(await look(two, { gpus: [uuidOf(1)] })).toBeNull()
  expect(await look(withProcesses([{ ...renders, pid: 2 ** 30 }]))).toBeNull()
  expect(await look(withProcesses([renders]), { processes: false })).toBeNull()
})

test('a driver that cannot be asked knows nothing', async () => {
  expect(await look(machines['driver not loaded'])).toBe('unknown')
})

test('GameMode says that somebody plays', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gamemode-'))
  const gamemoded = join(folder, 'gamemoded')
  try {
    for (const [says, expected] of [
      ['gamemode is active', { by: 'GameMode' }],
      ['gamemode is inactive', null],
    ] as const) {
      writeFileSync(gamemoded, `#!/bin/sh\necho ${says}\n`)
      chmodSync(gamemoded, 0o755)
      expect(await look(withProcesses([]), { gamemoded })).toEqual(expected)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test.each([
  ['at the screen', 'Seat=seat0 Class=user Active=yes IdleHint=no LockedHint=no', { by: 'somebody at its screen' }],
  ['away for a while', 'Seat=seat0 Class=user Active=yes IdleHint=yes LockedHint=no', null],
  ['gone, with the screen locked', 'Seat=seat0 Class=user Active=yes IdleHint=no LockedHint=yes', null],
  ['behind another session', 'Seat=seat0 Class=user Active=no IdleHint=no LockedHint=no', null],
  ['here over ssh', 'Seat= Class=user Active=yes IdleHint=no LockedHint=no', null],
  ['a greeter', 'Seat=seat0 Class=greeter Active=yes IdleHint=no LockedHint=no', null],
])('somebody who is %s', async (_, facts, expected) => {
  const folder = mkdtempSync(join(tmpdir(), 'loginctl-'))
  const loginctl = join(folder, 'loginctl')
  const root = 'Seat= Class=manager Active=yes IdleHint=no LockedHint=no'
  const block = (words: string) => words.split(' ').join('\n')
  try {
    writeFileSync(
      loginctl,
      `#!/bin/sh\ncase "$1" in list-sessions) printf '  2 1000 ada seat0 tty2\n c1 0 root - -\n';;\n*) printf '${block(root)}\n\n${block(facts)}\n';; esac\n`,
    )
    chmodSync(loginctl, 0o755)
    expect(await look(withProcesses([]), { loginctl })).toEqual(expected)
    expect(await look(withProcesses([]))).toBeNull()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('where logind cannot be asked nobody is at the screen', async () => {
  expect(await look(withProcesses([]), { loginctl: 'no-loginctl-here' })).toBeNull()
})
