// The rules of the house that a machine can check: who may import whom, and what only one place may do.
// Each takes the sources as text and says where and what to do instead; tidy.test.ts holds them.
import { dirname, join, normalize } from 'node:path/posix'

export interface Source {
  /** From the repository's root, with `/`. */
  path: string
  text: string
}

/** What each room may import. Files that are no part of the product (tests, test kits, sim, bench) may import anything. */
const ROOMS: Record<string, readonly string[]> = {
  bin: ['web', 'hub', 'host', 'db', 'sdk', 'deploy', 'package.json'],
  web: ['hub', 'sdk'],
  hub: ['db', 'sdk'],
  host: ['sdk'],
  db: ['sdk'],
  sdk: [],
}

/** Inside hub, imports go only toward the right; names in one group may import each other. */
const HUB_ORDER: readonly (readonly string[])[] = [
  ['hub'],
  ['gateway'],
  ['jobs'],
  ['billing'],
  ['verification'],
  ['routing'],
  ['tunnel'],
  ['fleet'],
  ['market'],
  ['ledger'],
  ['metering'],
  ['identity'],
  ['mail'],
  ['catalog'],
  ['policy'],
  ['replicas'],
  ['errors', 'log', 'config'],
]

/** Texts that only some files may contain. */
const RESERVED: readonly { text: RegExp; where: (path: string) => boolean; instead: string }[] = [
  {
    text: /\b(process|Bun|import\.meta)\.env\b/,
    where: (path) => /^(bin|sim|bench)\//.test(path) || /(^|\/)config\.ts$/.test(path) || isTesting(path),
    instead: 'Settings are read once, in bin: take the value as an argument.',
  },
  {
    text: /\.transaction\(/,
    where: (path) => path === 'db/transaction.ts' || path === 'db/postgres.ts' || isTesting(path),
    instead: 'A driver’s own transaction is not atomic on SQLite: use transaction(db, …) of db/transaction.ts.',
  },
  {
    text: /\bDate\.now\b|\bnew Date\(\s*\)|\bMath\.random\b|\bperformance\.now\b|\bset(Timeout|Interval|Immediate)\b|\brandom(UUID|Bytes|Int|UUIDv7)\b|\bgetRandomValues\b|\bBun\.sleep|\bAbortSignal\.timeout\b/,
    where: (path) => !/^(hub|host)\//.test(path) || path.startsWith('host/emulator') || isTesting(path),
    instead: 'Time and chance come in through Env (sdk/env.ts), so that a test or the simulator can hold them.',
  },
]

const EMPTY_NAMES = /(^|\/)(utils?|helpers?|common|shared|misc|types)(\/|\.tsx?$)/

/** @returns one line a finding: file, line, what is wrong, what to do. */
export function untidy(sources: readonly Source[]): string[] {
  const findings = sources.flatMap((source) => [...misnamed(source), ...reserved(source), ...trespasses(source)])
  return [...findings, ...cycles(sources)]
}

/** @returns one line for each dependency of a package.json that is not pinned. */
export function unpinned(path: string, manifest: Record<string, unknown>): string[] {
  const groups = ['dependencies', 'devDependencies', 'optionalDependencies']
  const all = groups.flatMap((group) => Object.entries((manifest[group] ?? {}) as Record<string, string>))
  return all
    .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version) && version !== 'workspace:*')
    .map(([name, version]) => `${path}  ${name} is "${version}". Pin it: bun add --exact ${name}`)
}

function misnamed({ path }: Source): string[] {
  if (/(^|\/)index\.tsx?$/.test(path) && path !== 'sdk/index.ts') {
    return [`${path}:1  an index file hides where things are. Name the file after its idea and import it by name.`]
  }
  if (EMPTY_NAMES.test(path)) {
    return [`${path}:1  a name that says nothing. Name the concept; a type sits above the function that owns it.`]
  }
  return []
}

function reserved({ path, text }: Source): string[] {
  const lines = withoutComments(text).split('\n')
  return RESERVED.filter(({ where }) => !where(path)).flatMap(({ text: pattern, instead }) =>
    lines.flatMap((line, at) => {
      const found = pattern.exec(line)
      return found ? [`${path}:${at + 1}  ${found[0]} has no place here. ${instead}`] : []
    }),
  )
}

function trespasses(source: Source): string[] {
  const { path } = source
  const room = path.split('/')[0] ?? ''
  const allowed = ROOMS[room]
  if (!allowed || isTesting(path)) return []
  return importsOf(source).flatMap(({ target, line }) => {
    const other = target.split('/')[0] ?? ''
    const at = `${path}:${line}  `
    if (isTesting(target)) return [`${at}imports the test kit ${target}. Only tests and test kits may.`]
    if (other !== room && !allowed.includes(other)) {
      const may = allowed.length > 0 ? `may import ${allowed.join(', ')}` : 'imports nothing of ours'
      return [`${at}imports ${target}, but ${room} ${may}. Hand it in from bin or from hub.ts.`]
    }
    return room === 'hub' && other === 'hub' ? leftward(path, target).map((problem) => at + problem) : []
  })
}

function leftward(path: string, target: string): string[] {
  const [from, to] = [path, target].map((file) => file.split('/')[1]?.replace(/\.tsx?$/, '') ?? '')
  const rank = (name = '') => HUB_ORDER.findIndex((group) => group.includes(name))
  const stranger = [from, to].find((name) => rank(name) === -1)
  if (stranger !== undefined) {
    return [
      `hub/${stranger} has no place in the order of hub. Give it one in DESIGN 4 and in HUB_ORDER of bin/tidy.ts.`,
    ]
  }
  if (from === to || rank(from) <= rank(to)) return []
  return [`imports ${target}, which stands left of hub/${from}. Hand it in from hub.ts.`]
}

/** Modules that need each other to load. Types alone do no harm. */
function cycles(sources: readonly Source[]): string[] {
  const edges = new Map(
    sources.map((source) => [
      source.path,
      importsOf(source)
        .filter(({ typeOnly }) => !typeOnly)
        .map(({ target }) => target),
    ]),
  )
  const done = new Set<string>()
  const findings: string[] = []
  const visit = (path: string, trail: string[]) => {
    const seen = trail.indexOf(path)
    if (seen !== -1) {
      const circle = [...trail.slice(seen), path].join(' → ')
      findings.push(`${path}:1  imports itself: ${circle}. Move what both need into a file of its own.`)
    }
    if (seen !== -1 || done.has(path)) return
    for (const target of edges.get(path) ?? []) visit(target, [...trail, path])
    done.add(path)
  }
  for (const path of edges.keys()) visit(path, [])
  return findings
}

interface Import {
  /** The imported file, from the repository's root. */
  target: string
  line: number
  typeOnly: boolean
}

function importsOf({ path, text }: Source): Import[] {
  const code = withoutComments(text)
  const statements =
    /^\s*(?:import|export)\s+(type\b)?([^'"`;()]*?\bfrom\s*)?['"](\.[^'"]*)['"]|\bimport\((\s*)['"](\.[^'"]*)['"]/gm
  return [...code.matchAll(statements)].map((match) => {
    const [whole, type, names, still, , later] = match
    const start = match.index + whole.length
    return {
      target: normalize(join(dirname(path), still ?? later ?? '')),
      line: code.slice(0, start).split('\n').length,
      typeOnly: type !== undefined || (names !== undefined && onlyTypes(names)),
    }
  })
}

/** `{ type A, type B } from`. */
function onlyTypes(names: string): boolean {
  const list = /^\s*\{([^}]*)\}/.exec(names)?.[1]
  return list !== undefined && list.split(',').every((name) => name.trim() === '' || name.trim().startsWith('type '))
}

/** Comments become spaces, so that lines keep their numbers. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, (comment) => comment.replace(/[^\n]/g, ' '))
}

function isTesting(path: string): boolean {
  return /\.test\.tsx?$|(^|\/)testing(\/|\.tsx?$)/.test(path)
}
