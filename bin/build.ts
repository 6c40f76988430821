// `bun run build [--target TARGET…] [--out FOLDER]`: the two programs as single files with nothing beside them.
import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const root = join(import.meta.dirname, '..')

/** Bun's names; without one, this machine's own. */
type Target = Bun.Build.CompileTarget

/** What a build may be other than the sources say. */
export interface Stamp {
  /** Else that of package.json. */
  version?: string
  /** Whose updates it takes; else `deploy/release-keys.txt`. */
  releaseKeys?: string
}

/** Builds `gpuhub` and `gpuhost` into `folder` and returns their paths. A finished file replaces the old one at once. */
export async function buildPrograms(folder: string, target?: Target, stamp: Stamp = {}): Promise<string[]> {
  mkdirSync(folder, { recursive: true })
  return [
    await buildProgram('gpuhub', { folder, target, stamp, withWorkers: true }),
    await buildProgram('gpuhost', { folder, target, stamp }),
  ]
}

export async function buildProgram(
  name: 'gpuhub' | 'gpuhost',
  options: { folder: string; target?: Target; stamp?: Stamp; withWorkers?: boolean },
): Promise<string> {
  const { folder, target, stamp = {}, withWorkers = false } = options
  const file = target ? `${name}-${target.replace(/^bun-/, '')}` : name
  const work = join(folder, `.${file}.${process.pid}`)
  try {
    const result = await Bun.build({
      entrypoints: [join(root, 'bin', `${name}.ts`), ...(withWorkers ? workers() : [])],
      // Flat, so that `new Worker(new URL('./x.worker.ts', import.meta.url))` finds its file in the source tree and in
      // the binary, where every module that was bundled has the address of the program itself.
      naming: { entry: '[name].[ext]' },
      compile: {
        outfile: join(work, file),
        ...(target ? { target } : {}),
        // Else the program would obey the `.env` and `bunfig.toml` of whatever folder it is started in.
        autoloadDotenv: false,
        autoloadBunfig: false,
      },
      bytecode: true,
      format: 'esm',
      // Names stay: Elysia reads the source of handlers.
      minify: { whitespace: true, syntax: true, identifiers: false },
      sourcemap: 'linked',
      plugins: [stamped(stamp)],
    })
    if (!result.success) throw new AggregateError(result.logs, `${file} could not be built`)
    const built = target?.includes('windows') ? `${file}.exe` : file
    renameSync(join(work, built), join(folder, built))
    return join(folder, built)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

function stamped({ version, releaseKeys }: Stamp): Bun.BunPlugin {
  return {
    name: 'stamp',
    setup(build) {
      if (version !== undefined)
        build.onLoad({ filter: /^\/.*\/package\.json$/ }, async ({ path }) => {
          const contents = await Bun.file(path).text()
          const own = path === join(root, 'package.json')
          return { contents: own ? JSON.stringify({ ...JSON.parse(contents), version }) : contents, loader: 'json' }
        })
      if (releaseKeys !== undefined)
        build.onLoad({ filter: /\/deploy\/release-keys\.txt$/ }, () => ({ contents: releaseKeys, loader: 'text' }))
    },
  }
}

/** Files that run on a thread of their own are entry points, which no import leads to. */
function workers(): string[] {
  return [...new Bun.Glob('hub/**/*.worker.ts').scanSync({ cwd: root, absolute: true })].sort()
}

if (import.meta.main) {
  const { values } = parseArgs({
    args: Bun.argv.slice(2),
    options: { target: { type: 'string', multiple: true }, out: { type: 'string', default: join(root, 'dist') } },
  })
  const targets: (Target | undefined)[] = values.target ? (values.target as Target[]) : [undefined]
  for (const target of targets) {
    for (const path of await buildPrograms(values.out, target)) {
      console.log(`${path}  ${(Bun.file(path).size / 1e6).toFixed(0)} MB`)
    }
  }
}
