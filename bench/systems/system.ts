// Something that can stand where the hub stands: it takes chat requests on one core and has answers from an engine, or
// from hosts, on the other.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, type HubUnderTest, ready } from '../hub.ts'
import type { Target } from '../load.ts'
import { LOAD_CORE, startProgram, SUT_CORE, withChildren } from '../machine.ts'
import type { Programs } from '../native.ts'
import { SLOTS, type World } from '../world.ts'

export interface Bench {
  programs: Programs
  world: World
  /** Of the mock engine that all but the hubs forward to. */
  enginePort: number
  /** Where other gateways are kept between runs. */
  peers: string
  /** Fetch those that are missing. */
  fetchPeers: boolean
}

export interface Contestant extends Target {
  /** Set when it is one of our hubs: then every answer must have its row. */
  hub?: HubUnderTest
  /** Slow ones are left out where a round would only measure their queue. */
  slow?: boolean
  stop(): Promise<void>
}

export interface System {
  name: string
  /** A reason instead of a contestant: it cannot be had here. */
  start(bench: Bench): Promise<Contestant | { absent: string }>
}

export async function startEngine({ programs, world }: Pick<Bench, 'programs' | 'world'>): Promise<number> {
  const port = await freePort()
  const given = ['--port', port, '--words', world.words, '--board', world.board, '--slots', SLOTS].map(String)
  const engine = startProgram([programs.engine, ...given], { core: LOAD_CORE })
  if ((await engine.line()) !== 'ready') throw new Error('the mock engine did not get ready')
  return port
}

/** A program on the measured core that listens on a port of its own. */
export async function contestant(
  { world }: Bench,
  name: string,
  command: (port: number, folder: string) => readonly string[],
  options: { env?: Record<string, string>; withinMs?: number } = {},
): Promise<Contestant> {
  const folder = join(world.folder, 'systems', name)
  mkdirSync(folder, { recursive: true })
  const port = await freePort()
  const program = startProgram(command(port, folder), {
    core: SUT_CORE,
    cwd: folder,
    log: join(folder, 'log'),
    ...(options.env ? { env: options.env } : {}),
  })
  await ready(program, `http://127.0.0.1:${port}/nothing-here`, options.withinMs)
  return { port, pids: withChildren(program.pid), stop: () => program.end() }
}

export function writeConfig(folder: string, name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text, { mode: 0o600 })
  return path
}
