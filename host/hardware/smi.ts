// The same facts from `nvidia-smi`, for machines where the library is missing or does not work. One unknown field fails a
// whole query, and names change from driver to driver: hence several queries, each of which may fail alone.
import type { Env } from '../../sdk/env.ts'
import { type Card, type DriverReport, type GpuProcess, plainCard } from './card.ts'
import { type Said, say } from './program.ts'

/** Without its daemon, each call wakes the driver first. */
const QUERY_MS = 10_000
const MOST_ROWS = 64

export async function readSmi(env: Env, program: string): Promise<DriverReport> {
  const nothing = { driver: null, cuda: null, cards: [] }
  // The name comes last, for it may hold a comma.
  const first = await query(env, program, 'index,uuid,driver_version,memory.total,name')
  if ('absent' in first) return { ...nothing, trouble: null }
  if ('late' in first) return { ...nothing, trouble: HANGS }
  if (first.code !== 0) return { ...nothing, trouble: whyNot(first.text) }
  const [capability, memory, pcie, power, draw, state, mig, processes, list] = await Promise.all([
    table(env, program, 'index,compute_cap'),
    table(env, program, 'index,memory.free'),
    table(env, program, 'index,pcie.link.gen.max,pcie.link.width.max'),
    table(env, program, 'index,power.limit,power.default_limit,power.min_limit,power.max_limit'),
    table(env, program, 'index,power.draw'),
    table(env, program, 'index,temperature.gpu,utilization.gpu,display_active'),
    table(env, program, 'index,mig.mode.current'),
    computeProcesses(env, program),
    say(env, [program, '-L'], QUERY_MS),
  ])
  let driver: string | null = null
  const cards = rows(first.text).flatMap(([index = '', uuid, version, total, ...name]) => {
    const memoryMib = Number(total)
    if (!/^\d+$/.test(index) || name.length === 0) return []
    driver = known(version, 40) ?? driver
    const id = known(uuid, 80)
    const sick = [total, uuid, memory.get(index)?.[0]].find((field) =>
      /ERR!|Unknown Error|requires reset/.test(field ?? ''),
    )
    const card: Card = {
      ...plainCard(name.join(', '), memoryMib > 0 ? memoryMib * 2 ** 20 : 0),
      uuid: id,
      freeBytes: mebibytes(memory.get(index)?.[0]),
      computeCapability: known(capability.get(index)?.[0], 10),
      pcie: { generation: number(pcie.get(index)?.[0]), width: number(pcie.get(index)?.[1]) },
      powerWatts: {
        draw: number(draw.get(index)?.[0]),
        limit: number(power.get(index)?.[0]),
        usual: number(power.get(index)?.[1]),
        least: number(power.get(index)?.[2]),
        most: number(power.get(index)?.[3]),
      },
      temperatureCelsius: number(state.get(index)?.[0]),
      busyPercent: number(state.get(index)?.[1]),
      display: { Enabled: true, Disabled: false }[state.get(index)?.[2] ?? ''] ?? null,
      processes: processes?.get(id ?? '') ?? (processes ? [] : null),
      trouble: troubleOf(sick, memoryMib),
    }
    const divided = mig.get(index)?.[0] === 'Enabled'
    return divided && 'text' in list ? instances(list.text, Number(index), card) : [card]
  })
  return { driver, cuda: null, cards, trouble: null }
}

const HANGS = 'nvidia-smi does not answer: the driver hangs. Reboot; if it comes back, a GPU is failing'

function whyNot(text: string): string {
  if (/couldn't communicate/.test(text)) return 'the NVIDIA driver is not loaded'
  if (/version mismatch/i.test(text)) return 'the driver was updated while in use: reboot'
  return 'nvidia-smi fails'
}

function troubleOf(sick: string | undefined, memoryMib: number): string | null {
  if (sick !== undefined) return /reset/.test(sick) ? 'the GPU needs a reset, or a reboot' : 'the driver lost the GPU'
  return memoryMib > 0 ? null : 'the driver does not say how much memory it has'
}

/** `  MIG 3g.40gb     Device  0: (UUID: MIG-…)` under `GPU 0: …`. Of an instance's memory only the nominal size shows. */
function instances(list: string, index: number, whole: Card): Card[] {
  const parts: Card[] = []
  let at = -1
  for (const line of list.split('\n').slice(0, 512)) {
    at = Number(/^GPU (\d+):/.exec(line)?.[1] ?? at)
    const part = /^\s+MIG (\S*?\.(\d{1,4})gb\S*)\s+Device\s+\d+: \(UUID: (\S{1,80})\)/.exec(line)
    if (at !== index || !part) continue
    const [, profile = '', gigabytes, uuid = null] = part
    const memoryBytes = Math.floor(Number(gigabytes) * NOMINAL * 2 ** 30)
    const name = `${whole.name} MIG ${profile}`.slice(0, 80)
    parts.push({ ...whole, uuid, name, memoryBytes, freeBytes: null, processes: null, partOf: whole.uuid })
  }
  return parts
}

/** An A100's `1g.5gb` has 4864 MiB, the smallest share of its name that any instance has. */
const NOMINAL = 0.95

async function computeProcesses(env: Env, program: string): Promise<Map<string, GpuProcess[]> | null> {
  const flags = ['--query-compute-apps=gpu_uuid,pid,used_memory,process_name', '--format=csv,noheader,nounits']
  const said = await say(env, [program, ...flags], QUERY_MS)
  if (!('text' in said) || said.code !== 0) return null
  const found = new Map<string, GpuProcess[]>()
  for (const [uuid = '', pid, used, ...name] of rows(said.text)) {
    if (!/^\d+$/.test(pid ?? '')) continue
    const process = { pid: Number(pid), kind: 'compute' as const, name: known(name.join(', '), 120) }
    found.set(uuid, [...(found.get(uuid) ?? []), { ...process, usedBytes: mebibytes(used) }])
  }
  return found
}

function query(env: Env, program: string, fields: string): Promise<Said> {
  return say(env, [program, `--query-gpu=${fields}`, '--format=csv,noheader,nounits'], QUERY_MS)
}

/** The fields after the index, by index; empty where this driver does not know one of them. */
async function table(env: Env, program: string, fields: string): Promise<Map<string, string[]>> {
  const said = await query(env, program, fields)
  if (!('text' in said) || said.code !== 0) return new Map()
  return new Map(rows(said.text).map(([index = '', ...rest]) => [index, rest]))
}

function rows(csv: string): string[][] {
  const lines = csv.split('\n').slice(0, MOST_ROWS * 4)
  return lines.filter((line) => line.includes(',')).map((line) => line.split(',').map((field) => field.trim()))
}

/** `[N/A]`, `[Not Supported]`, `ERR!` and their like mean that the driver does not know. */
function known(field: string | undefined, maxLength: number): string | null {
  return field && !/^\[|^ERR!/.test(field) ? field.slice(0, maxLength) : null
}

function number(field: string | undefined): number | null {
  const value = Number(known(field, 20) ?? Number.NaN)
  return Number.isFinite(value) && value >= 0 ? value : null
}

function mebibytes(field: string | undefined): number | null {
  const value = number(field)
  return value === null ? null : value * 2 ** 20
}
