// A program that takes vLLM's command line and speaks its API, without a GPU: for tests of what starts, guards and ends
// vLLM. How it behaves is in `conduct.json` beside the weights, so that its flags stay what they are. It also looks around
// and tells: `/probe?walk=FOLDER` says what a program in its place could reach.
import { existsSync, lstatSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { Engine } from '../../../emulator/engine.ts'

/** What `conduct.json` may say. */
export interface Conduct {
  /** The last lines before it ends with code 1. */
  dies?: string[]
  /** It says nothing and does nothing. */
  hangs?: boolean
  /** SIGTERM does not end it. */
  stubborn?: boolean
  /** It has a child that outlives it where nobody cares. */
  child?: boolean
  /** Of each answer; as fast as it can otherwise. */
  tokensPerSecond?: number
}

/** What `/probe` says. */
export interface Seen {
  uid: number
  gid: number
  groups: number[]
  /** Of /proc/self/status: CapEff, CapBnd, NoNewPrivs, Seccomp … */
  status: Record<string, string>
  interfaces: string[]
  /** Why a connection to the Internet failed; null: it was made. */
  internet: string | null
  /** Folders in which a file could be made, with the file system they are on. */
  writable: { path: string; filesystem: string }[]
  environment: Record<string, string>
  devices: string[]
  becameRoot: boolean
  argv: string[]
  pid: number
}

if (import.meta.main) await main(process.argv.slice(2))

async function main([verb, model = '', ...flags]: string[]): Promise<void> {
  if (verb !== 'serve') throw new Error('this program only serves')
  const value = (name: string) => flags[flags.indexOf(name) + 1] ?? ''
  const conduct = conductIn(model)
  console.log('INFO 11-25 12:00:00 [api_server.py:1] vLLM API server version 0.31.0')
  if (conduct.stubborn) process.on('SIGTERM', () => {})
  if (conduct.child)
    Bun.spawn([process.execPath, 'serve', join(model, 'child')], {
      env: process.env,
      stdio: ['ignore', 'ignore', 'ignore'],
    })
  if (conduct.hangs || model.endsWith('/child')) return new Promise(() => setInterval(() => {}, 60_000))
  console.log('(EngineCore pid=7) INFO 11-25 12:00:00 [gpu_model_runner.py:1] Starting to load model /models/m...')
  console.error(
    'Loading safetensors checkpoint shards:  50% Completed | 1/2\rLoading safetensors checkpoint shards: 100% Completed | 2/2',
  )
  for (const line of conduct.dies ?? []) console.error(line)
  if (conduct.dies) process.exit(1)
  console.log('(EngineCore pid=7) INFO 11-25 12:00:01 [backends.py:1] torch.compile takes 1.00 s in total')
  const slots = Number(value('--max-num-seqs'))
  const contextTokens = Number(value('--max-model-len'))
  const { tokensPerSecond = 0 } = conduct
  const engine = new Engine({ model: value('--served-model-name'), slots, contextTokens, tokensPerSecond })
  const socket = value('--uds')
  if (socket === '') throw new Error('it opens no port')
  rmSync(socket, { force: true })
  Bun.serve({
    unix: socket,
    async fetch(request) {
      const { pathname, searchParams } = new URL(request.url)
      if (pathname === '/probe') return Response.json(await look(flags, searchParams.get('walk') ?? '/'))
      if (pathname === '/die') process.exit(1)
      return engine.fetch(request)
    },
  })
  console.log('INFO 11-25 12:00:02 [launcher.py:1] Application startup complete.')
}

function conductIn(model: string): Conduct {
  const path = join(model, 'conduct.json')
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Conduct) : {}
}

async function look(argv: string[], walk: string): Promise<Seen> {
  const lines = readFileSync('/proc/self/status', 'utf8').split('\n')
  return {
    ...{ uid: process.getuid!(), gid: process.getgid!(), groups: process.getgroups!() },
    status: Object.fromEntries(
      lines
        .map((line) => line.split(/:\s+/) as [string, string])
        .filter(([name]) => /^(Cap|NoNew|Seccomp$)/.test(name)),
    ),
    interfaces: [...new Set([...Object.keys(networkInterfaces()), ...readdirSync('/sys/class/net')])],
    internet: await reach('1.1.1.1', 443),
    writable: writable(walk),
    environment: Object.fromEntries(Object.entries(process.env).map(([name, value]) => [name, value ?? ''])),
    devices: readdirSync('/dev'),
    becameRoot: becameRoot(),
    argv,
    pid: process.pid,
  }
}

function reach(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    socket.setTimeout(3_000, () => resolve('nobody answers'))
    socket.once('connect', () => resolve(null))
    socket.once('error', (error) => resolve(error.message))
  })
}

function becameRoot(): boolean {
  try {
    process.setuid!(0)
    return process.getuid!() === 0
  } catch {
    return false
  }
}

/** Every folder is tried, not asked. */
function writable(root: string): Seen['writable'] {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [before = '', after = ''] = line.split(' - ')
      const at = before.split(' ')[4]
      return at === undefined ? [] : [{ at, filesystem: after.split(' ')[0] ?? '' }]
    })
  const mountOf = (path: string) =>
    mounts
      .filter(({ at }) => path === at || path.startsWith(at === '/' ? '/' : `${at}/`))
      .toSorted((a, b) => b.at.length - a.at.length)[0]
  const found: Seen['writable'] = []
  const visit = (path: string) => {
    const file = join(path, 'probe-was-here')
    try {
      writeFileSync(file, '')
      rmSync(file)
      found.push({ path, filesystem: mountOf(path)?.filesystem ?? '?' })
    } catch {
      // As it should be.
    }
    try {
      for (const name of readdirSync(path)) {
        const inside = join(path, name)
        if (!/^\/(proc\/\d+|sys\/(devices|class|bus))/.test(inside) && lstatSync(inside).isDirectory()) visit(inside)
      }
    } catch {
      // Closed to it.
    }
  }
  visit(root)
  return found
}
