// A Docker engine of one's own for a test: its own folder and socket, no network to set up, gone afterwards.
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export interface DockerServer {
  socket: string
  /** Id of an image with the program at `/usr/bin/vllm`, made here of this machine's libraries. */
  image(program: string): Promise<string>
  /** What a container is now, as Docker says it. */
  inspect(id: string): Promise<Record<string, unknown>>
  containers(): Promise<string[]>
  stop(): Promise<void>
}

const READY_MS = 20_000
/** How it is said that this machine runs no Docker engine. */
export const REFUSED = 'dockerd does not start here'

/** Why none can be started, or one that runs. */
export async function startDocker(): Promise<DockerServer | { why: string }> {
  if (process.getuid?.() !== 0) return { why: 'a Docker engine is started by root only' }
  const daemon = Bun.which('dockerd', { PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin` })
  if (!daemon) return { why: 'dockerd is not installed (on Debian: apt-get install docker.io)' }
  const folder = mkdtempSync(join(tmpdir(), 'gpuhub-docker-'))
  const socket = join(folder, 'docker.sock')
  const places = [
    '--data-root',
    join(folder, 'data'),
    '--exec-root',
    join(folder, 'exec'),
    '--pidfile',
    join(folder, 'pid'),
  ]
  // Containers of these tests have no network: none has to be made, which takes rights that a sandbox may not have.
  const networks = ['--bridge=none', '--iptables=false', '--ip6tables=false', '--ip-forward=false', '--ip-masq=false']
  const log = join(folder, 'log')
  const child = Bun.spawn([daemon, '-H', `unix://${socket}`, ...places, ...networks], {
    stdio: ['ignore', Bun.file(log), Bun.file(log)],
    env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
    detached: true,
  })
  const call = (path: string, options: RequestInit = {}) => fetch(`http://docker${path}`, { ...options, unix: socket })
  const stop = async () => {
    child.kill('SIGTERM')
    await child.exited
    rmSync(folder, { recursive: true, force: true })
  }
  const deadline = performance.now() + READY_MS
  while (!(await call('/_ping').catch(() => null))?.ok) {
    if (child.exitCode !== null || performance.now() > deadline) {
      const why = readFileSync(log, 'utf8').trim().split('\n').at(-1) ?? ''
      await stop()
      return { why: `${REFUSED}: ${why.slice(0, 300)}` }
    }
    await Bun.sleep(50)
  }
  return {
    socket,
    stop,
    image: async (program) => {
      const root = join(folder, 'root')
      fill(root, program)
      const tar = Bun.spawn(['tar', '-C', root, '-c', '.'], { stdout: 'pipe' })
      const response = await call('/images/create?fromSrc=-&repo=gpuhost-test', { method: 'POST', body: tar.stdout })
      const said = await response.text()
      rmSync(root, { recursive: true })
      const id = /sha256:[0-9a-f]{64}/.exec(said)?.[0]
      if (!id) throw new Error(`no image: ${said}`)
      return id
    },
    inspect: async (id) => (await call(`/containers/${id}/json`)).json() as Promise<Record<string, unknown>>,
    containers: async () => {
      const all = (await (await call('/containers/json?all=1')).json()) as { Id: string }[]
      return all.map(({ Id }) => Id)
    },
  }
}

/** The program and the libraries it needs; nothing else is in it. */
function fill(root: string, program: string): void {
  const libraries =
    Bun.spawnSync(['ldd', program])
      .stdout.toString()
      .match(/\/\S+(?= \(0x)/g) ?? []
  for (const path of libraries) copy(path, root + path)
  copy(program, join(root, 'usr/bin/vllm'))
  for (const folder of ['tmp', 'etc', 'models/m', 'run/gpuhost', 'home/vllm', 'var/tmp', 'proc', 'sys', 'dev'])
    mkdirSync(join(root, folder), { recursive: true })
  // Anybody may write there, were it not for how it is mounted.
  for (const folder of ['home/vllm', 'var/tmp']) chmodSync(join(root, folder), 0o777)
}

function copy(from: string, to: string): void {
  if (!existsSync(from)) throw new Error(`${from} is missing`)
  mkdirSync(dirname(to), { recursive: true })
  cpSync(from, to, { dereference: true })
}
