// NVIDIA's management library, called directly. Only for a process of its own that may hang or crash (driver.ts starts
// it): a sick GPU can stop a call in the kernel, from where not even a signal gets it back.
import { dlopen, type FFIFunction, FFIType, type Pointer, ptr } from 'bun:ffi'
import { type Card, type DriverReport, type GpuProcess, plainCard } from './card.ts'

/** Where distributions, WSL2, containers and NixOS have it. Never by name alone: that would look in the current folder. */
export const LIBRARIES = [
  '/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1',
  '/usr/lib/aarch64-linux-gnu/libnvidia-ml.so.1',
  '/usr/lib64/libnvidia-ml.so.1',
  '/usr/lib/libnvidia-ml.so.1',
  '/usr/lib/wsl/lib/libnvidia-ml.so.1',
  '/usr/local/nvidia/lib64/libnvidia-ml.so.1',
  '/run/opengl-driver/lib/libnvidia-ml.so.1',
]

const MOST_CARDS = 32
const MOST_PROCESSES = 128
const TEXT_BYTES = 96

const OK = 0
/** nvmlReturn_t, as far as an owner can do something about it. */
const TROUBLES: Record<number, string> = {
  4: 'this user may not use the GPU',
  9: 'the NVIDIA driver is not loaded',
  15: 'the GPU has fallen off the bus; it needs a reboot',
  16: 'the GPU needs a reset, or a reboot',
  18: 'the driver was updated while in use: reboot',
}

/** A function that reads once; the library stays open between. @throws whatever it does: this process is there to be lost */
export function nvmlReader(library: string): () => DriverReport {
  const nvml = open(library)
  let begun = false
  return () => {
    const started = begun ? OK : nvml.call('nvmlInit_v2')
    const count = started === OK ? countOf(nvml) : started
    begun = typeof count === 'object'
    if (typeof count === 'object') return report(nvml, count.cards)
    // A driver that was loaded anew has forgotten us: next time from the start.
    nvml.call('nvmlShutdown')
    return { driver: null, cuda: null, cards: [], trouble: troubleOf(count) }
  }
}

/** Or why not. */
function countOf(nvml: Nvml): { cards: number } | number {
  const room = new Uint32Array(1)
  const code = nvml.call('nvmlDeviceGetCount_v2', ptr(room))
  return code === OK ? { cards: Math.min(room[0] ?? 0, MOST_CARDS) } : code
}

function report(nvml: Nvml, count: number): DriverReport {
  const cards: Card[] = []
  for (let index = 0; index < count; index++) cards.push(...readCard(nvml, index))
  const cuda = nvml.number('nvmlSystemGetCudaDriverVersion_v2')
  return {
    driver: nvml.text('nvmlSystemGetDriverVersion'),
    cuda: cuda === null ? null : `${Math.floor(cuda / 1_000)}.${Math.floor((cuda % 1_000) / 10)}`,
    cards,
    trouble: null,
  }
}

const troubleOf = (code: number) => TROUBLES[code] ?? `the NVIDIA driver answers with error ${code}`

/** A whole card, or the instances of one that is divided. */
function readCard(nvml: Nvml, index: number): Card[] {
  const slot = new BigUint64Array(1)
  const found = nvml.call('nvmlDeviceGetHandleByIndex_v2', index, ptr(slot))
  if (found !== OK) return [{ ...plainCard(`GPU ${index}`, 0), trouble: troubleOf(found) }]
  const device = handle(slot)
  const whole = describe(nvml, device)
  const mode = new Uint32Array(2)
  const divided = nvml.call('nvmlDeviceGetMigMode', device, ptr(mode), ptr(mode, 4)) === OK && mode[0] === 1
  if (!divided) return [whole]
  const most = nvml.number('nvmlDeviceGetMaxMigDeviceCount', device) ?? 0
  const parts: Card[] = []
  for (let at = 0; at < Math.min(most, MOST_CARDS); at++) {
    if (nvml.call('nvmlDeviceGetMigDeviceHandleByIndex', device, at, ptr(slot)) !== OK) continue
    const part = describe(nvml, handle(slot))
    const { computeCapability, pcie, powerWatts } = whole
    parts.push({ ...part, computeCapability, pcie, powerWatts, partOf: whole.uuid })
  }
  return parts
}

function describe(nvml: Nvml, device: Pointer): Card {
  const memory = memoryOf(nvml, device)
  const pair = new Uint32Array(2)
  const capable = nvml.call('nvmlDeviceGetCudaComputeCapability', device, ptr(pair), ptr(pair, 4)) === OK
  const computeCapability = capable ? `${pair[0]}.${pair[1]}` : null
  const limits = nvml.call('nvmlDeviceGetPowerManagementLimitConstraints', device, ptr(pair), ptr(pair, 4)) === OK
  const [least, most] = limits ? [watts(pair[0] ?? null), watts(pair[1] ?? null)] : [null, null]
  const busy = nvml.call('nvmlDeviceGetUtilizationRates', device, ptr(pair)) === OK ? (pair[0] ?? null) : null
  const drawn = nvml.number('nvmlDeviceGetDisplayActive', device)
  const temperature = new Uint32Array(1)
  const felt = nvml.call('nvmlDeviceGetTemperature', device, 0, ptr(temperature)) === OK
  return {
    ...plainCard(nvml.text('nvmlDeviceGetName', device) ?? 'NVIDIA GPU', memory.total ?? 0),
    uuid: nvml.text('nvmlDeviceGetUUID', device),
    freeBytes: memory.free,
    computeCapability,
    pcie: {
      generation: nvml.number('nvmlDeviceGetMaxPcieLinkGeneration', device),
      width: nvml.number('nvmlDeviceGetMaxPcieLinkWidth', device),
    },
    powerWatts: {
      draw: watts(nvml.number('nvmlDeviceGetPowerUsage', device)),
      limit: watts(nvml.number('nvmlDeviceGetPowerManagementLimit', device)),
      usual: watts(nvml.number('nvmlDeviceGetPowerManagementDefaultLimit', device)),
      least,
      most,
    },
    temperatureCelsius: felt ? (temperature[0] ?? null) : null,
    busyPercent: busy,
    display: drawn === null ? null : drawn === 1,
    processes: processesOf(nvml, device),
    trouble: memory.trouble,
  }
}

const watts = (milliwatts: number | null) => (milliwatts === null ? null : Math.round(milliwatts / 1_000))

/** Version 2 tells apart what the driver keeps; drivers before 510 know version 1. */
function memoryOf(nvml: Nvml, device: Pointer) {
  const second = new BigUint64Array(5)
  new Uint32Array(second.buffer)[0] = second.byteLength | (2 << 24)
  if (nvml.call('nvmlDeviceGetMemoryInfo_v2', device, ptr(second)) === OK)
    return { total: Number(second[1]), free: Number(second[3]), trouble: null }
  const first = new BigUint64Array(3)
  const code = nvml.call('nvmlDeviceGetMemoryInfo', device, ptr(first))
  if (code === OK) return { total: Number(first[0]), free: Number(first[1]), trouble: null }
  return { total: null, free: null, trouble: troubleOf(code) }
}

/** pid, padding, bytes, two ids of instances. */
const PROCESS_BYTES = 24
const UNKNOWN_BYTES = 2n ** 64n - 1n

function processesOf(nvml: Nvml, device: Pointer): GpuProcess[] | null {
  const lists = [
    ['compute', 'nvmlDeviceGetComputeRunningProcesses_v3'],
    ['graphics', 'nvmlDeviceGetGraphicsRunningProcesses_v3'],
  ] as const
  let known = false
  const found: GpuProcess[] = []
  for (const [kind, name] of lists) {
    const count = new Uint32Array([MOST_PROCESSES])
    const room = new DataView(new ArrayBuffer(MOST_PROCESSES * PROCESS_BYTES))
    if (nvml.call(name, device, ptr(count), ptr(room)) !== OK) continue
    known = true
    for (let at = 0; at < Math.min(count[0] ?? 0, MOST_PROCESSES); at++) {
      const pid = room.getUint32(at * PROCESS_BYTES, true)
      const used = room.getBigUint64(at * PROCESS_BYTES + 8, true)
      found.push({ pid, kind, name: nameOf(nvml, pid), usedBytes: used === UNKNOWN_BYTES ? null : Number(used) })
    }
  }
  return known ? found : null
}

function nameOf(nvml: Nvml, pid: number): string | null {
  const room = new Uint8Array(TEXT_BYTES)
  return nvml.call('nvmlSystemGetProcessName', pid, ptr(room), TEXT_BYTES) === OK ? zeroEnded(room) : null
}

type Nvml = ReturnType<typeof open>

/** An address as the library hands it out. */
function handle(slot: BigUint64Array): Pointer {
  return Number(slot[0]) as Pointer
}

const { u32, i32, pointer } = FFIType
const SYMBOLS: Record<string, FFIFunction['args']> = {
  nvmlInit_v2: [],
  nvmlShutdown: [],
  nvmlSystemGetDriverVersion: [pointer, u32],
  nvmlSystemGetCudaDriverVersion_v2: [pointer],
  nvmlSystemGetProcessName: [u32, pointer, u32],
  nvmlDeviceGetCount_v2: [pointer],
  nvmlDeviceGetHandleByIndex_v2: [u32, pointer],
  nvmlDeviceGetName: [pointer, pointer, u32],
  nvmlDeviceGetUUID: [pointer, pointer, u32],
  nvmlDeviceGetMemoryInfo: [pointer, pointer],
  nvmlDeviceGetMemoryInfo_v2: [pointer, pointer],
  nvmlDeviceGetCudaComputeCapability: [pointer, pointer, pointer],
  nvmlDeviceGetMaxPcieLinkGeneration: [pointer, pointer],
  nvmlDeviceGetMaxPcieLinkWidth: [pointer, pointer],
  nvmlDeviceGetPowerUsage: [pointer, pointer],
  nvmlDeviceGetPowerManagementLimit: [pointer, pointer],
  nvmlDeviceGetPowerManagementDefaultLimit: [pointer, pointer],
  nvmlDeviceGetPowerManagementLimitConstraints: [pointer, pointer, pointer],
  nvmlDeviceGetTemperature: [pointer, u32, pointer],
  nvmlDeviceGetUtilizationRates: [pointer, pointer],
  nvmlDeviceGetDisplayActive: [pointer, pointer],
  nvmlDeviceGetMigMode: [pointer, pointer, pointer],
  nvmlDeviceGetMaxMigDeviceCount: [pointer, pointer],
  nvmlDeviceGetMigDeviceHandleByIndex: [pointer, u32, pointer],
  nvmlDeviceGetComputeRunningProcesses_v3: [pointer, pointer, pointer],
  nvmlDeviceGetGraphicsRunningProcesses_v3: [pointer, pointer, pointer],
}

/** What nvmlReturn_t says when a function is not there: older drivers lack the newer ones. */
const FUNCTION_NOT_FOUND = 13

function open(library: string) {
  // One at a time: a single name that is missing would fail the whole library.
  const functions = new Map<string, (...args: (number | Pointer)[]) => number>()
  for (const [name, args] of Object.entries(SYMBOLS)) {
    try {
      const { symbols } = dlopen(library, { [name]: { args, returns: i32 } })
      functions.set(name, symbols[name] as unknown as (...args: (number | Pointer)[]) => number)
    } catch (error) {
      if (name === 'nvmlInit_v2') throw error
    }
  }
  const call = (name: string, ...args: (number | Pointer)[]) => functions.get(name)?.(...args) ?? FUNCTION_NOT_FOUND
  return {
    call,
    /** The one number that `name` writes to its last argument. */
    number(name: string, ...args: (number | Pointer)[]): number | null {
      const room = new Uint32Array(1)
      return call(name, ...args, ptr(room)) === OK ? (room[0] ?? null) : null
    },
    text(name: string, ...args: (number | Pointer)[]): string | null {
      const room = new Uint8Array(TEXT_BYTES)
      return call(name, ...args, ptr(room), TEXT_BYTES) === OK ? zeroEnded(room) : null
    },
  }
}

function zeroEnded(bytes: Uint8Array): string {
  const end = bytes.indexOf(0)
  return new TextDecoder().decode(end === -1 ? bytes : bytes.subarray(0, end)).slice(0, 80)
}
