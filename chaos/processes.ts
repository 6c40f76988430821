// Real programs for tests, chaos and measurements: the compiled binaries, started, watched, killed by id, with the same
// settings everywhere.
import { closeSync, copyFileSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { testDatabase } from '../db/testing.ts'
import { type Emulator, type EmulatorOptions, startEmulator } from '../host/testing.ts'
import { freePort } from '../bin/free-port.ts'
import { Machine, type MachineOptions, type Spawn } from './machine.ts'

const dist = process.env.GPUHUB_DIST ?? join(import.meta.dirname, '..', 'dist')
/** The machine may have other work, and a hub has much to load. */
const READY_MS = 90_000

/** Besides the database, all that differs from a hub's defaults. */
export const settings: Record<string, string> = {
  GPUHUB_ALLOW_SIMULATED: '1',
  GPUHUB_KEY_CONCURRENCY: '5000',
  GPUHUB_LOAD_FACTOR: '100',
  GPUHUB_SECRET: 'a secret that only tests know, and everybody may',
}

export type Database = 'sqlite' | 'postgres'

export interface World {
  /** What every command and hub of this world is told. */
  env: Record<string, string>
  folder: string
  databaseUrl: string
  /** One `gpuhub` command; its JSON. @throws with what it printed when it fails */
  command<T>(...words: string[]): Promise<T>
  startHub(port?: number): Promise<HubProcess>
  /** A host whose engine is an emulator in this process. */
  startHost(hub: HubProcess, name: string, engine?: EmulatorOptions): Promise<HostProcess>
  /** A machine of that owner, not started yet. */
  machine(owner: string, options: Omit<MachineOptions, 'token'>): Promise<Machine>
  /** A client with credit (USD) and a key. */
  client(credit: string): Promise<{ email: string; key: string }>
  /** The last lines of every program's log. */
  logs(): string
  /** Copies every program's log into `folder`, which is made new. */
  keepLogs(folder: string): void
  close(): Promise<void>
}

export interface HubProcess {
  url: string
  port: number
  process: Bun.Subprocess
  kill(): Promise<void>
  /** SIGTERM, until it is gone. */
  stop(): Promise<void>
}

export interface HostProcess {
  engine: Emulator
  process: Bun.Subprocess
  kill(): Promise<void>
}

export interface WorldOptions {
  /** A database that is already there, instead of a fresh one on the server that tests use. */
  databaseUrl?: string
  /** Where SQLite's file is, instead of the world's own folder. */
  data?: string
  /** Over the usual ones. */
  settings?: Record<string, string>
}

export async function startWorld(database: Database, options: WorldOptions = {}): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'gpuhub-chaos-'))
  const fresh = database === 'postgres' && !options.databaseUrl ? await testDatabase('postgres') : null
  const databaseUrl = options.databaseUrl ?? fresh?.url
  const data = options.data ?? join(folder, 'data')
  const env: Record<string, string> = {
    PATH: process.env.PATH ?? '',
    HOME: folder,
    ...settings,
    ...options.settings,
    GPUHUB_DATA: data,
    ...(databaseUrl ? { DATABASE_URL: databaseUrl } : {}),
  }
  const running = new Set<Bun.Subprocess>()
  const engines = new Set<Emulator>()
  const tokens = new Map<string, Promise<string>>()
  let clients = 0

  const spawn: Spawn = ({ program, words, env: more, log }) => {
    const file = openSync(join(folder, log), 'a')
    const child = Bun.spawn([join(dist, program), ...words], {
      cwd: folder,
      env: { ...env, ...more },
      stdio: ['ignore', 'ignore', file],
    })
    closeSync(file)
    running.add(child)
    void child.exited.then(() => running.delete(child))
    return child
  }

  const command = async <T>(...words: string[]): Promise<T> => {
    const child = Bun.spawn([join(dist, 'gpuhub'), ...words, '--json'], {
      cwd: folder,
      env,
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const [output, said] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
    if ((await child.exited) !== 0) throw new Error(`gpuhub ${words.join(' ')} failed: ${said}${output}`)
    return JSON.parse(output) as T
  }

  const startHub = async (port?: number): Promise<HubProcess> => {
    const at = port ?? (await freePort())
    const url = `http://127.0.0.1:${at}`
    const child = spawn({
      program: 'gpuhub',
      words: ['serve', '--port', String(at)],
      env: databaseUrl ? { GPUHUB_SELF_URL: url } : {},
      log: 'hub.log',
    })
    await until(`the hub at ${url} to be ready`, folder, async () => {
      if (child.exitCode !== null) throw new Error('the hub ended')
      return (await fetch(`${url}/readyz`).catch(() => null))?.ok ?? false
    })
    return { url, port: at, process: child, kill: () => end(child, 'SIGKILL'), stop: () => end(child, 'SIGTERM') }
  }

  const makeToken = async (owner: string) => {
    const email = `${owner}@hosts.example.com`
    await command('user', 'add', email, '--role', 'host')
    return (await command<{ token: string }>('host-token', 'add', email)).token
  }
  const tokenOf = (owner: string) => {
    const token = tokens.get(owner) ?? makeToken(owner)
    tokens.set(owner, token)
    return token
  }

  const machine = async (owner: string, options: Omit<MachineOptions, 'token'>) =>
    new Machine(folder, spawn, { ...options, token: await tokenOf(owner) })

  return {
    env,
    folder,
    databaseUrl: databaseUrl ?? `sqlite:${join(data, 'hub.db')}`,
    command,
    startHub,
    machine,
    async startHost(hub, name, options = {}) {
      const engine = await startEmulator(options)
      engines.add(engine)
      const host = await machine(name, { name, hub: hub.url, engineUrl: engine.url })
      await host.start()
      return { engine, process: host.process!, kill: () => host.kill() }
    },
    async client(credit) {
      const email = `client${++clients}@example.com`
      await command('user', 'add', email, '--role', 'client', '--credit', credit)
      const { key } = await command<{ key: string }>('key', 'add', email)
      return { email, key }
    },
    logs: () => logs(folder),
    keepLogs(to) {
      rmSync(to, { recursive: true, force: true })
      mkdirSync(to, { recursive: true })
      for (const name of logNames(folder)) copyFileSync(join(folder, name), join(to, name))
    },
    async close() {
      for (const child of [...running]) await end(child, 'SIGKILL')
      for (const engine of engines) await engine.close()
      await fresh?.drop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function end(child: Bun.Subprocess, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  child.kill(signal)
  await child.exited
}

async function until(what: string, folder: string, condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + READY_MS
  for (;;) {
    const met = await condition().catch((error: unknown) => {
      if (error instanceof Error && error.message === 'the hub ended') throw new Error(`${what}: ${logs(folder)}`)
      return false
    })
    if (met) return
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}\n${logs(folder)}`)
    await Bun.sleep(20)
  }
}

function logs(folder: string): string {
  return logNames(folder)
    .map((name) => `${name}:\n${readFileSync(join(folder, name), 'utf8').slice(-3_000)}`)
    .join('\n')
}

function logNames(folder: string): string[] {
  return [...new Bun.Glob('*.log').scanSync({ cwd: folder })].sort()
}
