// Builds the npm package: `bun bin/pack.ts`. Leaves dist/sdk, which is what is published, and the same as a tarball.
// Fails when the types do not compile, or when publint or are-the-types-wrong has anything to say.
import { cp, mkdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dir, '..')

export interface Packed {
  /** The package, unpacked. */
  folder: string
  tarball: string
}

/** Packs into `out`/sdk and `out`. @throws Error with what the failing tool said. */
export async function packSdk(out: string): Promise<Packed> {
  const folder = join(out, 'sdk')
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  // tsc follows the imports from index.ts: what the package's door does not reach is not in it.
  await run(root, ['x', '--bun', '--no-install', 'tsc', '-p', 'sdk', '--outDir', folder])
  await pointToBuiltFiles(folder)
  await Bun.write(join(folder, 'package.json'), `${JSON.stringify(await manifest(), null, 2)}\n`)
  await cp(join(root, 'sdk/README.md'), join(folder, 'README.md'))
  await cp(join(root, 'LICENSE'), join(folder, 'LICENSE'))

  const tarball = join(
    out,
    (await run(folder, ['pm', 'pack', '--destination', out, '--quiet'])).split('/').at(-1) ?? '',
  )
  await run(root, ['x', '--bun', '--no-install', 'publint', tarball, '--strict'])
  await run(root, ['x', '--bun', '--no-install', 'attw', tarball, '--profile', 'esm-only', '--no-definitely-typed'])
  return { folder, tarball }
}

// tsc rewrites the endings of imports in what it compiles, but not in declarations.
async function pointToBuiltFiles(folder: string): Promise<void> {
  for await (const name of new Bun.Glob('*.d.ts').scan(folder)) {
    const file = Bun.file(join(folder, name))
    await file.write((await file.text()).replace(/(from '\.\/[a-z]+)\.ts'/g, "$1.js'"))
  }
}

/** The package.json people install: that of the workspace, with doors to what was built instead of the sources. */
async function manifest(): Promise<object> {
  // The workspace is private, so that nobody publishes the sources by mistake.
  const { private: _, ...told } = await Bun.file(join(root, 'sdk/package.json')).json()
  return {
    ...told,
    exports: { '.': { types: './index.d.ts', default: './index.js' } },
    files: ['*.js', '*.d.ts'],
    sideEffects: false,
  }
}

/** Runs a command of Bun in `folder` and returns what it printed. */
async function run(folder: string, command: string[]): Promise<string> {
  const child = Bun.spawn([process.execPath, ...command], { cwd: folder, stdout: 'pipe', stderr: 'pipe' })
  const [printed, complained] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  if ((await child.exited) !== 0) throw new Error(`bun ${command.join(' ')} failed:\n${printed}${complained}`)
  return printed.trim()
}

if (import.meta.main) {
  const { folder, tarball } = await packSdk(join(root, 'dist'))
  console.log(`packed ${folder} and ${tarball}; publint and are-the-types-wrong found nothing`)
}
