// Real programs for tests: the compiled binaries, started, watched, killed by id. Engines are emulators in this process,
// so that an oracle knows every token. The same binaries and settings serve tests and long runs.
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { testDatabase } from '../db/testing.ts'
import { type Emulator, type EmulatorOptions, startEmulator } from '../host/testing.ts'

const dist = process.env.GPUHUB_DIST ?? join(import.meta.dirname, '..', 'dist')
const READY_MS = 30_000

/** Besides the database, all that differs from a hub's defaults. */
export const settings = {
  GPUHUB_ALLOW_SIMULATED: '1',
  GPUHUB_KEY_CONCURRENCY: '5000',
  GPUHUB_SECRET: 'a secret that only tests know, and everybody may',
}

export interface World {
  /** What every command and hub of this world is told. */
  env: Record<string, string>
  folder: string
  /** One `gpuhub` command; its JSON. @throws with what it printed when it fails */
  command<T>(...words: string[]): Promise<T>
  startHub(port?: number): Promise<HubProcess>
  startHost(hub: HubProcess, name: string, engine?: EmulatorOptions): Promise<HostProcess>
  /** A host with an engine that runs already. */
  linkHost(hub: HubProcess, name: string, engine: RunningEngine): Promise<Omit<HostProcess, 'engine'>>
  /** A client with credit (USD) and a key. */
  client(credit: string): Promise<{ email: string; key: string }>
  close(): Promise<void>
}

export interface HubProcess {
  url: string
  port: number
  process: Bun.Subprocess
  kill(): Promise<void>
  stop(): Promise<void>
}

export interface RunningEngine {
  url: string
  /** Catalog id to offer. */
  model: string
  /** Requests it works on at a time; else gpuhost's default. */
  slots?: number
}

export interface HostProcess {
  engine: Emulator
  process: Bun.Subprocess
  kill(): Promise<void>
}

export async function startWorld(database: 'sqlite' | 'postgres'): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'gpuhub-chaos-'))
  const postgres = database === 'postgres' ? await testDatabase('postgres') : null
  const env: Record<string, string> = {
    PATH: process.env.PATH ?? '',
    HOME: folder,
    ...settings,
    GPUHUB_DATA: join(folder, 'data'),
    ...(postgres ? { DATABASE_URL: postgres.url } : {}),
  }
  const running = new Set<Bun.Subprocess>()
  const engines = new Set<Emulator>()
  const tokens = new Map<string, string>()
  let clients = 0

  const spawn = (program: string, words: string[], more: Record<string, string>, log: string) => {
    const child = Bun.spawn([join(dist, program), ...words], {
      cwd: folder,
      env: { ...env, ...more },
      stdio: ['ignore', 'ignore', openSync(join(folder, log), 'a')],
    })
    running.add(child)
    void child.exited.then(() => running.delete(child))
    return child
  }
  const end = async (child: Bun.Subprocess, signal: 'SIGKILL' | 'SIGTERM') => {
    child.kill(signal)
    await child.exited
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
    const child = spawn('gpuhub', ['serve', '--port', String(at)], postgres ? { GPUHUB_SELF_URL: url } : {}, 'hub.log')
    await until(`the hub at ${url} to be ready`, folder, async () => {
      if (child.exitCode !== null) throw new Error('the hub ended')
      return (await fetch(`${url}/readyz`).catch(() => null))?.ok ?? false
    })
    return { url, port: at, process: child, kill: () => end(child, 'SIGKILL'), stop: () => end(child, 'SIGTERM') }
  }

  const tokenOf = async (name: string) => {
    const known = tokens.get(name)
    if (known) return known
    await command('user', 'add', `${name}@hosts.example.com`, '--role', 'host')
    const { token } = await command<{ token: string }>('host-token', 'add', `${name}@hosts.example.com`)
    tokens.set(name, token)
    return token
  }

  const startHost = async (hub: HubProcess, name: string, options: EmulatorOptions = {}): Promise<HostProcess> => {
    const engine = await startEmulator(options)
    engines.add(engine)
    return { engine, ...(await linkHost(hub, name, { url: engine.url, model: 'gpuhub/emulator', slots: 512 })) }
  }

  const linkHost = async (hub: HubProcess, name: string, { url, model, slots }: RunningEngine) => {
    const home = join(folder, name)
    mkdirSync(home, { recursive: true })
    const words = ['start', '--foreground', '--hub', hub.url, '--model', model, '--name', name]
    const engineWords = ['--engine', 'openai', '--engine-url', url, '--simulate-gpu', 'RTX 4090']
    const slotWords = slots === undefined ? [] : ['--slots', String(slots)]
    const token = await tokenOf(name)
    const child = spawn(
      'gpuhost',
      [...words, ...engineWords, ...slotWords],
      { GPUHOST_TOKEN: token, GPUHOST_HOME: home },
      `${name}.log`,
    )
    await until(`${name} to be ready`, folder, async () => {
      const list = (await (await fetch(`${hub.url}/api/v1/prices`)).json()) as {
        data: { id: string; hostsOnline: number }[]
      }
      const hosts = await command<{ name: string; state: string }[]>('hosts')
      return (
        list.data.some((row) => row.hostsOnline > 0) &&
        hosts.some((host) => host.name === name && host.state === 'ready')
      )
    })
    return { process: child, kill: () => end(child, 'SIGKILL') }
  }

  return {
    env,
    folder,
    command,
    startHub,
    startHost,
    linkHost,
    async client(credit) {
      const email = `client${++clients}@example.com`
      await command('user', 'add', email, '--role', 'client', '--credit', credit)
      const { key } = await command<{ key: string }>('key', 'add', email)
      return { email, key }
    },
    async close() {
      for (const child of [...running]) await end(child, 'SIGKILL')
      for (const engine of engines) await engine.close()
      await postgres?.drop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
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
  const files = [...new Bun.Glob('*.log').scanSync({ cwd: folder, absolute: true })]
  return files.map((file) => `${file}:\n${readFileSync(file, 'utf8').slice(-3_000)}`).join('\n')
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      )
    })
  })
}
