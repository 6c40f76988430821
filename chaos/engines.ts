// Engines in a process of their own, so that they can be killed and stopped, and so that their work does not hold up the
// clock by which clients' waits are measured.
import { join } from 'node:path'
import type { Conduct } from '../host/testing.ts'

export interface EngineState {
  running: number
  /** Of these, the questions whose answers are held until their host is lost, … */
  held: number[]
  /** … and those that hang, and have to be missed. */
  hung: number[]
}

export type FromEngines = { ready: number[] } | { state: EngineState[] }
export interface ToEngines {
  /** New conduct, by the engine's place. */
  set?: Record<number, Partial<Conduct>>
}

export interface Engines {
  urls: string[]
  set(at: number, conduct: Partial<Conduct>): void
  state(): Promise<EngineState[]>
  /** The process is gone, with every connection. */
  kill(): Promise<void>
  /** At the same addresses; what it was told to be is forgotten. */
  restart(): Promise<void>
  /** Answers nothing any more, connections stay open (SIGSTOP), until `resume`. */
  pause(): void
  resume(): void
}

export async function startEngines(count: number): Promise<Engines> {
  let ports = Array.from({ length: count }, () => 0)
  let process = await spawn(ports)
  ports = process.ports
  return {
    urls: ports.map((port) => `http://127.0.0.1:${port}`),
    set: (at, conduct) => process.send({ set: { [at]: conduct } }),
    state: () => process.state(),
    kill: () => process.kill(),
    async restart() {
      await process.kill()
      process = await spawn(ports)
    },
    pause: () => process.child.kill('SIGSTOP'),
    resume: () => process.child.kill('SIGCONT'),
  }
}

async function spawn(ports: readonly number[]) {
  const ready = Promise.withResolvers<number[]>()
  let waiting: ((state: EngineState[]) => void)[] = []
  const child = Bun.spawn([process.execPath, join(import.meta.dirname, 'engines.child.ts'), ...ports.map(String)], {
    stdio: ['ignore', 'ignore', 'inherit'],
    ipc(message: FromEngines) {
      if ('ready' in message) return ready.resolve(message.ready)
      for (const tell of waiting.splice(0)) tell(message.state)
    },
  })
  void child.exited.then((code) => {
    ready.reject(new Error(`the engines ended with ${code}`))
    // Nobody waits for the state of what is gone.
    for (const tell of waiting.splice(0)) tell(ports.map(() => ({ running: 0, held: [], hung: [] })))
  })
  const send = (message: ToEngines) => child.send(message)
  return {
    child,
    ports: await ready.promise,
    send,
    state: () =>
      new Promise<EngineState[]>((resolve) => {
        waiting.push(resolve)
        send({})
      }),
    async kill() {
      child.kill('SIGKILL')
      await child.exited
      waiting = []
    },
  }
}
