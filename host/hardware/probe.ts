// What this machine is made of, as told to the hub. A simulated card always says that it is one.
import { arch, cpus, release, totalmem, type } from 'node:os'
import type { Gpu, Hardware } from '../../sdk/wire/frames.ts'
import { HostError } from '../errors.ts'
import { cardNamed, cardNames } from './cards.ts'

/** @throws HostError when `simulate` names no known card */
export async function probe(options: { simulate?: string; nvidiaSmi?: string } = {}): Promise<Hardware> {
  const { gpus, driver } = options.simulate
    ? { gpus: [simulated(options.simulate)], driver: null }
    : await installed(options.nvidiaSmi ?? 'nvidia-smi')
  return {
    gpus,
    driver,
    cpu: (cpus()[0]?.model ?? 'unknown').slice(0, 120),
    cores: cpus().length,
    memoryBytes: totalmem(),
    os: `${type()} ${release()}`.slice(0, 80),
    arch: arch(),
    simulated: options.simulate !== undefined,
  }
}

function simulated(name: string): Gpu {
  const card = cardNamed(name)
  if (card) return card
  throw new HostError(`"${name.slice(0, 40)}" is not a card that can be simulated. Known: ${cardNames.join(', ')}.`, 2)
}

const NOTHING = { gpus: [], driver: null }

async function installed(command: string): Promise<{ gpus: Gpu[]; driver: string | null }> {
  // One unknown field fails the whole query, and old drivers do not know `compute_cap`.
  const facts =
    (await query(command, 'uuid,driver_version,memory.total,compute_cap,name')) ??
    (await query(command, 'uuid,driver_version,memory.total,name'))?.replace(/^((?:[^,]*,){3})/gm, '$1 [N/A],')
  return facts === undefined ? NOTHING : readCards(facts)
}

/** Rows of `uuid, driver, memory in MiB, compute capability, name`; the name comes last, for it may hold a comma. */
export function readCards(csv: string): { gpus: Gpu[]; driver: string | null } {
  const gpus: Gpu[] = []
  let driver: string | null = null
  for (const line of csv.split('\n').slice(0, 32)) {
    const [uuid, version, memoryMib, computeCapability, ...name] = line.split(',').map((field) => field.trim())
    const memory = Number(memoryMib)
    if (!name.length || !Number.isFinite(memory) || memory <= 0) continue
    driver = known(version, 40) ?? driver
    gpus.push({
      name: name.join(', ').slice(0, 80),
      memoryBytes: Math.round(memory * 2 ** 20),
      computeCapability: known(computeCapability, 10),
      uuid: known(uuid, 80),
    })
  }
  return { gpus, driver }
}

/** `[N/A]`, `[Not Supported]`, `ERR!` and their like mean that the driver does not know. */
function known(field: string | undefined, maxLength: number): string | null {
  return field && !/^\[|^ERR!/.test(field) ? field.slice(0, maxLength) : null
}

async function query(command: string, fields: string): Promise<string | undefined> {
  const path = Bun.which(command)
  if (!path) return undefined
  // A sick driver can hang for ever.
  const run = Bun.spawn([path, `--query-gpu=${fields}`, '--format=csv,noheader,nounits'], {
    stdout: 'pipe',
    stderr: 'ignore',
    stdin: 'ignore',
    timeout: 10_000,
    killSignal: 'SIGKILL',
    maxBuffer: 64 * 1024,
  })
  const [text, code] = await Promise.all([new Response(run.stdout).text(), run.exited])
  return code === 0 ? text : undefined
}
