// A hub as it is shipped, in a process of its own, with people and machines: for what only a browser can see.
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../../sdk/testing.ts'

const root = join(import.meta.dirname, '..', '..')
const dist = process.env.GPUHUB_DIST ?? join(root, 'dist')
const READY_MS = 60_000

export interface RealHub {
  url: string
  /** Its SQLite file. */
  database: string
  /** Printed at the first start: makes the first admin. */
  firstAdmin: string
  /** What a command of gpuhub prints as JSON. */
  command<T>(words: string[], stdin?: string): Promise<T>
  /** Somebody who can sign in with `PASSWORD`. */
  person(email: string, roles: string[], credit?: string): Promise<void>
  /** A machine with a simulated card, and its own engine or that at `engineUrl`; resolves when the hub counts it as ready. */
  startHost(name: string, token: string, engineUrl?: string): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export const PASSWORD = 'correct horse battery'
export const MODEL = 'gpuhub/emulator'

/** The compiled programs where they are built, else the sources. */
function program(name: 'gpuhub' | 'gpuhost'): string[] {
  const built = join(dist, name)
  return existsSync(built) ? [built] : [process.execPath, join(root, 'bin', `${name}.ts`)]
}

export async function startRealHub(): Promise<RealHub> {
  const folder = mkdtempSync(join(tmpdir(), 'gpuhub-browser-'))
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: folder,
    GPUHUB_DATA: join(folder, 'data'),
    GPUHUB_ALLOW_SIMULATED: '1',
    GPUHUB_GRACE_SECONDS: '2',
    GPUHUB_DEVELOPMENT: '1',
  }
  const children: Bun.Subprocess[] = []
  const start = (words: string[], log: string, more: Record<string, string> = {}) => {
    const file = openSync(join(folder, log), 'a')
    const child = Bun.spawn(words, { cwd: root, env: { ...env, ...more }, stdio: ['ignore', file, file] })
    children.push(child)
    return child
  }
  const said = (log: string) => readFileSync(join(folder, log), 'utf8')
  const command: RealHub['command'] = async <T>(words: string[], stdin = '') => {
    const child = Bun.spawn([...program('gpuhub'), ...words, '--json'], {
      cwd: root,
      env,
      stdin: new Blob([stdin]),
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const [out, wrong] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
    if ((await child.exited) !== 0) throw new Error(`gpuhub ${words.join(' ')}: ${wrong}`)
    return JSON.parse(out) as T
  }
  try {
    start([...program('gpuhub'), 'serve', '--port', '0'], 'hub.log')
    const firstAdmin = await until(
      'the hub says how to become its admin',
      () => /https?:\/\/\S+\/first-admin\S+/.exec(said('hub.log'))?.[0] ?? null,
      READY_MS,
    )
    return {
      url: new URL(firstAdmin).origin,
      database: join(folder, 'data', 'hub.db'),
      firstAdmin,
      command,
      async person(email, roles, credit = '0') {
        const as = roles.flatMap((role) => ['--role', role])
        await command(['user', 'add', email, ...as, '--credit', credit, '--password-stdin'], `${PASSWORD}\n`)
      },
      async startHost(name, token, engineUrl) {
        const home = join(folder, name)
        mkdirSync(home, { recursive: true })
        const flags = ['--foreground', '--hub', new URL(firstAdmin).origin, '--model', MODEL, '--name', name]
        const engine = engineUrl === undefined ? [] : ['--engine-url', engineUrl]
        start(
          [...program('gpuhost'), 'start', ...flags, '--simulate-gpu', 'RTX 4090', ...engine, '--grace', '1'],
          `${name}.log`,
          {
            GPUHOST_TOKEN: token,
            GPUHOST_HOME: home,
          },
        )
        await until(
          `${name} is ready`,
          async () =>
            (await command<{ name: string; state: string }[]>(['hosts'])).some(
              (host) => host.name === name && host.state === 'ready',
            ),
          READY_MS,
        ).catch((error) => {
          throw new Error(`${String(error)}\n${said(`${name}.log`)}`)
        })
      },
      [Symbol.asyncDispose]: stop,
    }
  } catch (error) {
    await stop()
    throw new Error(`${String(error)}\n${existsSync(join(folder, 'hub.log')) ? said('hub.log') : ''}`)
  }

  async function stop() {
    for (const child of children) child.kill('SIGTERM')
    await Promise.all(children.map((child) => Promise.race([child.exited, Bun.sleep(5_000)])))
    for (const child of children) child.kill('SIGKILL')
    // Whoever still writes would fill the folder again.
    await Promise.all(children.map((child) => child.exited))
    rmSync(folder, { recursive: true, force: true })
  }
}
