// The bench's programs in C: the load client, the fake hosts and the mock engine must cost less than what they measure.
// Compiled when the bench starts, with the numbers of the wire as sdk/wire has them.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { BEAT_MS, kind, MAX_PAYLOAD_BYTES, PROTOCOL } from '../sdk/wire/frames.ts'

export interface Programs {
  load: string
  hosts: string
  engine: string
}

/** The version hosts.c was written for. */
const SPOKEN: number = 1

/** @throws when there is no C compiler, or the wire has moved on. */
export async function compilePrograms(folder: string): Promise<Programs> {
  if (PROTOCOL !== SPOKEN)
    throw new Error(`bench/native/hosts.c speaks version ${SPOKEN} of the wire, the hub ${PROTOCOL}: teach it first`)
  const compiler = Bun.which('cc') ?? Bun.which('gcc') ?? Bun.which('clang')
  if (!compiler) throw new Error('the bench needs a C compiler: apt install gcc')
  mkdirSync(folder, { recursive: true })
  const compile = async (name: keyof Programs) => {
    const output = join(folder, name)
    const source = join(import.meta.dirname, 'native', `${name}.c`)
    const child = Bun.spawn([compiler, '-O2', '-Wall', '-Wextra', '-Werror', ...wire(), '-o', output, source], {
      stderr: 'pipe',
    })
    const said = await new Response(child.stderr).text()
    if ((await child.exited) !== 0) throw new Error(`${source} does not compile:\n${said}`)
    return output
  }
  const [load, hosts, engine] = await Promise.all([compile('load'), compile('hosts'), compile('engine')])
  return { load, hosts, engine }
}

function wire(): string[] {
  const kinds = Object.entries(kind).map(([name, value]) => `-DWIRE_${name.toUpperCase()}=${value}`)
  return [
    ...kinds,
    `-DWIRE_PROTOCOL=${PROTOCOL}`,
    `-DWIRE_MAX_PAYLOAD=${MAX_PAYLOAD_BYTES}`,
    `-DWIRE_BEAT_MS=${BEAT_MS}`,
  ]
}
