// `bun run build [--target TARGET…] [--out FOLDER]`: the two programs as single files with nothing beside them.
import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const root = join(import.meta.dirname, '..')

/** Bun's names; without one, this machine's own. */
type Target = Bun.Build.CompileTarget

/** Builds `gpuhub` and `gpuhost` into `folder` and returns their paths. A finished file replaces the old one at once. */
export async function buildPrograms(folder: string, target?: Target): Promise<string[]> {
  mkdirSync(folder, { recursive: true })
  return [
    await buildProgram('gpuhub', { folder, target, withWorkers: true }),
    await buildProgram('gpuhost', { folder, target }),
  ]
}

async function buildProgram(
  name: string,
  options: { folder: string; target?: Target; withWorkers?: boolean },
): Promise<string> {
  const { folder, target, withWorkers = false } = options
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
    })
    if (!result.success) throw new AggregateError(result.logs, `${file} could not be built`)
    const built = target?.includes('windows') ? `${file}.exe` : file
    renameSync(join(work, built), join(folder, built))
    return join(folder, built)
  } finally {
    rmSync(work, { recursive: true, force: true })
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
