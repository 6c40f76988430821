// vLLM as a process of this machine: where no container can be started, because this is one (Vast.ai, RunPod). It is a
// user without rights where the agent is root, knows nothing of the agent's environment, and is killed whole.
import { chmodSync, chownSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Env } from '../../../sdk/env.ts'
import { HostError } from '../../errors.ts'
import { SOCKET_NAME, variables } from './container.ts'
import { eachLine, type End, type Runner, type Running } from './runner.ts'
import { endNoted, endSession, killSession, note } from './session.ts'
import { socketFolder } from './sockets.ts'
import { linkWeights } from './weights.ts'
import type { Step } from './phase.ts'

export interface ProcessOptions {
  env: Env
  machine: string
  engine: number
  /** Where packages, caches and notes are. */
  room: string
  /** Installs what is not there, and returns the program that begins `serve`. */
  install: (tell: (step: Step) => void, signal: AbortSignal) => Promise<readonly string[]>
  /** vLLM's flags, given where the weights are. */
  args: (place: { model: string; socket: string }) => readonly string[]
  gpus: readonly string[]
  weights: string
}

/** Nobody's number on systems we know; it needs no entry in any list. */
export const ENGINE_USER = 64_917
/** What programs of an engine may look for in the agent's environment. */
const PATH = '/usr/local/nvidia/bin:/usr/local/cuda/bin:/usr/local/bin:/usr/bin:/bin'

export function asProcess(options: ProcessOptions): Runner {
  const { env, machine, engine, room, weights } = options
  const root = process.getuid?.() === 0
  const folder = socketFolder(machine, engine)
  const socket = join(folder.path, SOCKET_NAME)
  const noted = join(room, `engine-${engine}.json`)
  const work = join(room, `work-${engine}`)
  const linked = join(room, `weights-${engine}`, basename(weights))
  let program: readonly string[] = []
  return {
    socket,

    async prepare(tell, signal) {
      makeRoom(room)
      program = await options.install(tell, signal)
    },

    async clear() {
      await endNoted(env, noted)
      rmSync(work, { recursive: true, force: true })
      rmSync(join(room, `weights-${engine}`), { recursive: true, force: true })
      folder.remove()
    },

    async begin(line) {
      folder.make()
      mkdirSync(work, { recursive: true, mode: 0o700 })
      // Another user cannot reach into the agent's folder; the same files, elsewhere, it can read.
      if (root) linkWeights(weights, linked)
      if (root) for (const path of [folder.path, work]) chownSync(path, ENGINE_USER, ENGINE_USER)
      const command = [
        ...without(root),
        ...program,
        'serve',
        ...options.args({ model: root ? linked : weights, socket }),
      ]
      const child = Bun.spawn(command, {
        env: {
          PATH,
          ...Object.fromEntries(variables({ together: options.gpus.length > 1, home: work })),
          ...cards(options),
        },
        cwd: work,
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true,
      })
      note(noted, child.pid)
      preferToKill(child.pid)
      return running(env, child, line)
    },
  }
}

function running(env: Env, child: Bun.Subprocess<'ignore', 'pipe', 'pipe'>, line: (text: string) => void): Running {
  const heard = Promise.all([child.stdout, child.stderr].map((bytes) => eachLine(bytes, line).catch(() => {})))
  const ended = child.exited.then(async (): Promise<End> => {
    // What it said last is heard before its end is told; a child of its own may keep the pipe open.
    killSession(child.pid)
    await heard
    return { code: child.exitCode, outOfMemory: false }
  })
  return {
    ended,
    stop: () => child.kill('SIGTERM'),
    kill: () => endSession(env, child.pid),
  }
}

function makeRoom(room: string): void {
  mkdirSync(room, { recursive: true, mode: 0o755 })
  // Others may pass through, to what is theirs.
  chmodSync(room, 0o711)
}

/** Takes away what root has; a user keeps nothing it could gain. @throws HostError */
function without(root: boolean): string[] {
  const setpriv = Bun.which('setpriv')
  if (!setpriv && root)
    throw new HostError(
      'The engine is not run as root, and setpriv is missing. On Debian: apt-get install util-linux.',
      3,
    )
  if (!setpriv) return []
  const user = ['--reuid', String(ENGINE_USER), '--regid', String(ENGINE_USER), '--clear-groups']
  const rights = ['--inh-caps=-all', '--ambient-caps=-all', '--bounding-set=-all']
  return [setpriv, ...(root ? [...user, ...rights] : []), '--no-new-privs', '--pdeathsig', 'KILL', '--']
}

function cards({ gpus }: ProcessOptions): Record<string, string> {
  // The build has no compiler at hand for kernels it would make on the spot.
  const sampling = { VLLM_USE_FLASHINFER_SAMPLER: '0' }
  return gpus.length === 0 ? sampling : { ...sampling, CUDA_VISIBLE_DEVICES: gpus.join(',') }
}

/** When memory runs out, rather the engine than anything else. */
function preferToKill(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, '500')
  } catch {
    // It has ended, or the system does not let us.
  }
}
