// A real engine, not written by us, as tests hold it: started on a port of this machine, watched, killed by its group.
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../bin/free-port.ts'
import { install } from './install.ts'
import { startLlama } from './llama.ts'
import { startVllm } from './vllm.ts'

export const engineNames = ['vllm', 'llama.cpp'] as const
export type EngineName = (typeof engineNames)[number]

export interface RealEngine {
  name: EngineName
  url: string
  /** Requests it works on or lets wait. */
  busy(): Promise<number>
  /** Tokens it has made since it started. */
  made(): Promise<number>
  /** Ends it without a word. */
  kill(): Promise<void>
}

/** Where engines, models and logs are. */
export const cache = join(import.meta.dirname, '..', '.cache', 'engine')

/** What each engine is: which packages, and how they become a server. */
const kinds = {
  vllm: { lock: 'vllm.lock.txt', start: startVllm },
  'llama.cpp': { lock: 'llama.lock.txt', start: startLlama },
}

/** Installs the engine where it is not there. @returns its python */
export function installEngine(name: EngineName): Promise<string> {
  return install(join(cache, name), join(import.meta.dirname, kinds[name].lock))
}

const READY_MS = 300_000

/** Makes the model, starts the engine (on `port`, or a free one), and waits until it is ready. @throws with its log */
export async function startEngine(name: EngineName, port?: number): Promise<RealEngine> {
  const python = await installEngine(name)
  const at = port ?? (await freePort())
  const url = `http://127.0.0.1:${at}`
  const { command, env, busy, made } = kinds[name].start({ python, port: at, folder: join(cache, `${name}-work`) })
  const log = join(cache, `${name}.log`)
  const file = openSync(log, 'w')
  const child = Bun.spawn(['nice', ...command], {
    env: { PATH: process.env.PATH ?? '', HOME: cache, ...env },
    stdio: ['ignore', file, file],
    // A group of its own: some engines are several processes.
    detached: true,
  })
  closeSync(file)
  const engine: RealEngine = {
    name,
    url,
    busy: () => busy(url),
    made: () => made(url),
    async kill() {
      try {
        process.kill(-child.pid, 'SIGKILL')
      } catch {
        // Gone already.
      }
      await child.exited
    },
  }
  const deadline = performance.now() + READY_MS
  while (!(await fetch(`${url}/health`).catch(() => null))?.ok) {
    if (child.exitCode === null && performance.now() < deadline) await Bun.sleep(100)
    else {
      await engine.kill()
      throw new Error(`${name} did not become ready. The end of ${log}:\n${readFileSync(log, 'utf8').slice(-3_000)}`)
    }
  }
  return engine
}
