// A machine whose owner plays on it: its agent runs the engine itself (a stand-in for vLLM, as a process), and what it asks
// about the card are programs of ours.
import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { saveChoice } from '../host/choice.ts'
import { homeAt } from '../host/config.ts'
import { release } from '../host/engine/vllm/release.ts'
import { membersOf } from '../host/engine/vllm/session.ts'
import { buildVllm, makeWeights } from '../host/engine/vllm/testing/program.ts'
import { type FakeMachine, fakeMachine, machines, replay, uuidOf } from '../host/hardware/testing/machines.ts'
import { noWishes, saveWishes } from '../host/owner/wishes.ts'
import { EMULATED_MODEL } from '../sdk/wire/vocabulary.ts'
import type { MachineOptions } from './machine.ts'

export interface GamingMachine {
  own: NonNullable<MachineOptions['own']>
  /** Sets the agent's home up, before its start: a model was chosen, and idle mode is on. */
  setUp(home: string): void
  /** A game begins on the card, or ends. It takes memory, and tells GameMode. */
  plays(now: boolean): void
  /** Whether anything of the engine that ran last is left. */
  engineIsThere(): boolean
  close(): void
}

const requirements = readFileSync(join(import.meta.dirname, '../host/engine/vllm/requirements.txt'))
const lock = createHash('sha256').update(requirements).digest('hex').slice(0, 12)

export async function gamingMachine(conduct: { tokensPerSecond: number }): Promise<GamingMachine> {
  const folder = mkdtempSync(join(tmpdir(), 'gaming-'))
  // The engine is another user.
  chmodSync(folder, 0o755)
  const room = join(folder, 'room')
  const packages = join(room, `vllm-${release.version}-${lock}`)
  const built = join(folder, 'stand-in')
  mkdirSync(join(packages, 'bin'), { recursive: true })
  mkdirSync(built)
  const stand = await buildVllm(built)
  // As the installer leaves it.
  writeFileSync(join(packages, 'bin', 'python'), `#!/bin/sh\nshift\nexec ${stand} "$@"\n`, { mode: 0o755 })
  writeFileSync(join(packages, 'installed'), '')

  const [card] = machines['one 4090'].gpus
  const game = { pid: process.pid, name: '/games/witcher3', usedMib: 8_400 }
  const withGame = (on: boolean): FakeMachine => ({
    ...machines['one 4090'],
    gpus: [{ ...card!, processes: on ? [game] : [] }],
  })
  const faked = fakeMachine(withGame(false), { library: false })
  const bin = dirname(faked.nvidiaSmi)
  // In a container the driver's processes have other numbers; then GameMode alone says that somebody plays.
  const flag = join(bin, 'plays')
  const gamemoded = `#!/bin/sh\nif [ -e ${flag} ]; then echo gamemode is active; else echo gamemode is inactive; fi\n`
  writeFileSync(join(bin, 'gamemoded'), gamemoded, { mode: 0o755 })
  const noted = join(room, 'engine-0.json')
  let engine: number | null = null
  return {
    own: {
      words: ['--engine', 'process'],
      env: { PATH: `${bin}:${process.env.PATH ?? ''}`, GPUHOST_NVML: '/nowhere.so', GPUHOST_ENGINE_ROOM: room },
    },
    setUp(path) {
      const home = homeAt({ GPUHOST_HOME: path })
      const weightsFolder = makeWeights(join(folder, 'weights'), conduct)
      saveChoice(home, { variant: EMULATED_MODEL, weightsFolder, gpus: [[uuidOf(0)]], args: [], contextTokens: 8_192 })
      saveWishes(home, { ...noWishes, idle: { quietMinutes: 1 } })
    },
    plays(now) {
      if (now) engine = (JSON.parse(readFileSync(noted, 'utf8')) as { pid: number }).pid
      replay(faked, withGame(now))
      if (now) writeFileSync(flag, '')
      else rmSync(flag)
    },
    engineIsThere: () => engine !== null && membersOf(engine).length > 0,
    close() {
      for (const each of [folder, bin]) rmSync(each, { recursive: true, force: true })
    },
  }
}
