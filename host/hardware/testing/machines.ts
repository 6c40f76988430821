// The machines that tests know: each as a fake NVML library and a fake `nvidia-smi` that say the same, in the ways of the
// real ones.
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export interface FakeGpu {
  name: string
  memoryMib: number
  freeMib: number
  computeCapability: string
  generation: number
  watts: number
  /** What it draws. */
  draw?: number
  celsius?: number
  busy?: number
  display?: boolean
  /** nvmlReturn_t of every question about its memory. */
  sick?: 15 | 16
  /** Divided into these. */
  instances?: { profile: string; memoryMib: number }[]
  processes?: { pid: number; name: string; usedMib: number; graphics?: boolean }[]
}

export interface FakeMachine {
  driver: string
  cuda: number
  gpus: FakeGpu[]
  /** The driver does not answer, kills whoever asks, or is not loaded. */
  conduct?: 'hang' | 'crash' | 'unloaded'
  /** Nobody here may set the power limit. */
  unprivileged?: boolean
  /** There is no driver at all. */
  bare?: boolean
}

const rtx4090 = { name: 'NVIDIA GeForce RTX 4090', memoryMib: 24_564, freeMib: 24_080, watts: 450, generation: 4 }
const rtx3090 = { name: 'NVIDIA GeForce RTX 3090', memoryMib: 24_576, freeMib: 24_100, watts: 350, generation: 4 }
const rtx5090 = { name: 'NVIDIA GeForce RTX 5090', memoryMib: 32_607, freeMib: 32_100, watts: 575, generation: 5 }
const rtx4060 = { name: 'NVIDIA GeForce RTX 4060', memoryMib: 8_188, freeMib: 7_900, watts: 115, generation: 4 }
const rtx4070 = { name: 'NVIDIA GeForce RTX 4070', memoryMib: 12_282, freeMib: 11_900, watts: 200, generation: 4 }
const rtx3050 = { name: 'NVIDIA GeForce RTX 3050', memoryMib: 6_144, freeMib: 5_900, watts: 70, generation: 4 }
const h100 = { name: 'NVIDIA H100 80GB HBM3', memoryMib: 81_559, freeMib: 81_000, watts: 700, generation: 5 }
const ada = { computeCapability: '8.9' }
const ampere = { computeCapability: '8.6' }
const now = { driver: '580.95.05', cuda: 13_000 }

export const machines = {
  'one 4090': { ...now, gpus: [{ ...rtx4090, ...ada }] },
  'two 3090': {
    ...now,
    gpus: [
      { ...rtx3090, ...ampere },
      { ...rtx3090, ...ampere },
    ],
  },
  'one 5090': { ...now, gpus: [{ ...rtx5090, computeCapability: '12.0' }] },
  '8 GB card': { ...now, gpus: [{ ...rtx4060, ...ada }] },
  '12 GB card': { ...now, gpus: [{ ...rtx4070, ...ada }] },
  '6 GB card': { ...now, gpus: [{ ...rtx3050, ...ampere }] },
  'old driver': { driver: '535.183.01', cuda: 12_020, gpus: [{ ...rtx4090, ...ada }] },
  'a sick card': {
    ...now,
    gpus: [
      { ...rtx3090, ...ampere },
      { ...rtx3090, ...ampere, sick: 15 },
    ],
  },
  'hanging driver': { ...now, gpus: [{ ...rtx4090, ...ada }], conduct: 'hang' },
  'crashing library': { ...now, gpus: [{ ...rtx4090, ...ada }], conduct: 'crash' },
  'driver not loaded': { ...now, gpus: [], conduct: 'unloaded' },
  'divided H100': {
    ...now,
    gpus: [
      {
        ...h100,
        computeCapability: '9.0',
        instances: [
          { profile: '3g.40gb', memoryMib: 40_448 },
          { profile: '3g.40gb', memoryMib: 40_448 },
        ],
      },
    ],
  },
  'a gamer at play': {
    ...now,
    gpus: [
      {
        ...{ ...rtx4090, ...ada, freeMib: 15_000, busy: 83, display: true },
        processes: [
          { pid: 1_200, name: '/usr/lib/xorg/Xorg', usedMib: 620, graphics: true },
          { pid: 4_711, name: '/games/witcher3', usedMib: 8_400, graphics: true },
        ],
      },
    ],
  },
  'no GPU': { ...now, gpus: [], bare: true },
} satisfies Record<string, FakeMachine>

export type MachineName = keyof typeof machines

export const uuidOf = (gpu: number) => `GPU-0000000${gpu}-aaaa-bbbb-cccc-ddddeeeeffff`
const instanceUuid = (gpu: number, at: number) => `MIG-${gpu}${at}000000-aaaa-bbbb-cccc-ddddeeeeffff`

export interface Faked {
  /** Paths; where the machine has no driver they lead nowhere. */
  library: string
  nvidiaSmi: string
}

/** Null: there is no C compiler here, so only `nvidia-smi` can be played. @throws Error with CI=true */
export function compiler(): string | null {
  const found = Bun.which('cc') ?? Bun.which('gcc') ?? Bun.which('clang')
  if (found === null && process.env.CI === 'true')
    throw new Error('The fake NVML library needs a C compiler: install gcc.')
  if (found === null) console.error('NOT TESTED: the NVML library, for there is no C compiler here. Install gcc.')
  return found
}

let compiled: string | undefined
const folders: string[] = []

/** A folder with both programs for that machine, until `removeMachines`. */
export function fakeMachine(machine: FakeMachine, { library = true } = {}): Faked {
  const folder = newFolder()
  const paths = { library: join(folder, 'libnvidia-ml.so.1'), nvidiaSmi: join(folder, 'nvidia-smi') }
  if (machine.bare) return paths
  replay(paths, machine)
  writeFileSync(paths.nvidiaSmi, `#!${process.execPath}\nimport '${join(import.meta.dirname, 'nvidia-smi.ts')}'\n`)
  chmodSync(paths.nvidiaSmi, 0o755)
  const cc = library ? compiler() : null
  if (cc !== null) copyFileSync((compiled ??= compile(cc)), paths.library)
  return paths
}

/** Of a file of tests, after the last of them. */
export function removeMachines(): void {
  compiled = undefined
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
}

/** From now on it is that machine. */
export function replay({ nvidiaSmi }: Faked, machine: FakeMachine): void {
  const folder = dirname(nvidiaSmi)
  writeFileSync(join(folder, 'cards'), forLibrary(machine))
  writeFileSync(join(folder, 'machine.json'), JSON.stringify(forProgram(machine)))
}

function compile(cc: string): string {
  const path = join(newFolder(), 'fake.so')
  const source = join(import.meta.dirname, 'nvml.c')
  const built = Bun.spawnSync([cc, '-shared', '-fPIC', '-O1', '-o', path, source, '-ldl'])
  if (!built.success) throw new Error(`${cc} does not compile the fake library: ${built.stderr.toString()}`)
  return path
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gpus-'))
  folders.push(folder)
  return folder
}

function forLibrary({ driver, cuda, gpus, conduct }: FakeMachine): string {
  const lines = [`driver ${driver} ${cuda}`]
  if (conduct === 'hang' || conduct === 'crash') lines.push(conduct)
  if (conduct === 'unloaded') lines.push('init 9')
  for (const [at, gpu] of gpus.entries()) {
    const [major, minor] = gpu.computeCapability.split('.')
    const mig = gpu.instances ? 1 : /H100|A100/.test(gpu.name) ? 0 : -1
    const facts = [gpu.name, uuidOf(at), gpu.memoryMib, gpu.freeMib, major, minor, gpu.generation, 16, gpu.watts]
    const state = [gpu.celsius ?? 41, gpu.busy ?? 0, gpu.display ? 1 : 0, gpu.sick ?? 0, mig, gpu.draw ?? 30]
    lines.push(['gpu', ...facts, ...state].join('|'))
    for (const { pid, graphics, usedMib, name } of gpu.processes ?? [])
      lines.push(['process', pid, graphics ? 1 : 0, usedMib, name].join('|'))
    for (const [part, { profile, memoryMib }] of (gpu.instances ?? []).entries())
      lines.push(['mig', `${gpu.name} MIG ${profile}`, instanceUuid(at, part), memoryMib, memoryMib - 40].join('|'))
  }
  return `${lines.join('\n')}\n`
}

/** What `nvidia-smi.ts` answers from: one row of fields a card. */
export interface SmiAnswers {
  conduct: FakeMachine['conduct'] | null
  unprivileged: boolean
  rows: Record<string, string>[]
  compute: string[]
  list: string
}

function forProgram({ driver, gpus, conduct, unprivileged = false }: FakeMachine): SmiAnswers {
  const rows = gpus.map((gpu, at) => ({
    ...{ index: String(at), uuid: uuidOf(at), driver_version: driver, name: gpu.name },
    ...{ compute_cap: gpu.computeCapability, 'memory.total': gpu.sick ? '[Unknown Error]' : String(gpu.memoryMib) },
    'memory.free': gpu.sick ? '[GPU requires reset]' : String(gpu.freeMib),
    ...{ 'pcie.link.gen.max': String(gpu.generation), 'pcie.link.width.max': '16' },
    ...{ 'power.limit': `${gpu.watts}.00`, 'power.default_limit': `${gpu.watts}.00` },
    ...{ 'power.draw': `${gpu.draw ?? 30}.00`, 'power.min_limit': '100.00' },
    ...{ 'power.max_limit': `${gpu.watts + 50}.00`, 'temperature.gpu': String(gpu.celsius ?? 41) },
    'utilization.gpu': gpu.instances ? '[N/A]' : String(gpu.busy ?? 0),
    display_active: gpu.display ? 'Enabled' : 'Disabled',
    'mig.mode.current': gpu.instances ? 'Enabled' : '[N/A]',
  }))
  const compute = gpus.flatMap((gpu, at) =>
    (gpu.processes ?? [])
      .filter(({ graphics }) => !graphics)
      .map(({ pid, usedMib, name }) => `${uuidOf(at)}, ${pid}, ${usedMib}, ${name}`),
  )
  const list = gpus.flatMap((gpu, at) => [
    `GPU ${at}: ${gpu.name} (UUID: ${uuidOf(at)})`,
    ...(gpu.instances ?? []).map(
      ({ profile }, part) => `  MIG ${profile}     Device  ${part}: (UUID: ${instanceUuid(at, part)})`,
    ),
  ])
  return { conduct: conduct ?? null, unprivileged, rows, compute, list: list.join('\n') }
}
