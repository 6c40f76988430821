// The container an engine runs in, as Docker's API wants it described. Nothing in it depends on what a hub sends: model,
// flags and image are checked before.
import { release } from './release.ts'

export interface Plan {
  name: string
  /** Of this installation, and which of its engines. */
  machine: string
  engine: number
  image: string
  /** vLLM's, model and all. */
  args: readonly string[]
  /** UUIDs, or none. */
  gpus: readonly string[]
  /** How Docker hands out GPUs here. */
  gpusBy: 'nvidia' | 'cdi'
  /** `uid:gid` inside. */
  user: string
  weights: string
  /** Where its socket is to appear. */
  sockets: string
  memoryBytes: number
  cores: number
}

export const WEIGHTS_INSIDE = '/models/m'
export const SOCKETS_INSIDE = '/run/gpuhost'
export const SOCKET_NAME = 'v.sock'
export const MACHINE_LABEL = 'gpuhost.machine'
export const ENGINE_LABEL = 'gpuhost.engine'

/** Open files. No more than systems give everybody. */
const FILES = 16_384
const GIB = 2 ** 30

/**
 * `POST /containers/create`: no network, nothing writable but memory, no capability, no way to get one. The weights are
 * there to be read. What it may write (its caches, its socket) is memory, counted against its limit, and gone with it.
 */
export function containerFor(plan: Plan) {
  const { image, args, gpus, user, weights, sockets, memoryBytes, cores, machine, engine } = plan
  return {
    Image: image,
    Entrypoint: ['vllm', 'serve'],
    Cmd: args,
    User: user,
    Env: variables({ together: gpus.length > 1, home: '/tmp' }).map(([name, value]) => `${name}=${value}`),
    WorkingDir: '/tmp',
    Hostname: 'gpuhost',
    NetworkDisabled: true,
    Labels: { gpuhost: '1', [MACHINE_LABEL]: machine, [ENGINE_LABEL]: String(engine), 'gpuhost.vllm': release.version },
    HostConfig: {
      NetworkMode: 'none',
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges:true'],
      Privileged: false,
      IpcMode: 'private',
      Init: true,
      AutoRemove: false,
      RestartPolicy: { Name: 'no' },
      PidsLimit: 4_096,
      Memory: memoryBytes,
      MemorySwap: memoryBytes,
      NanoCpus: cores * 1e9,
      // Rather the engine than the owner's desktop.
      OomScoreAdj: 500,
      ShmSize: (gpus.length > 1 ? 8 : 1) * GIB,
      Ulimits: [
        { Name: 'nofile', Soft: FILES, Hard: FILES },
        { Name: 'core', Soft: 0, Hard: 0 },
      ],
      // Kernels are compiled into it and run from it.
      Tmpfs: { '/tmp': 'rw,exec,nosuid,nodev,mode=1777,size=8g' },
      Mounts: [
        {
          Type: 'bind',
          Source: weights,
          Target: WEIGHTS_INSIDE,
          ReadOnly: true,
          BindOptions: { Propagation: 'rprivate' },
        },
        { Type: 'bind', Source: sockets, Target: SOCKETS_INSIDE, BindOptions: { Propagation: 'rprivate' } },
      ],
      DeviceRequests: requests(plan),
      LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '2' } },
    },
  }
}

function requests({ gpus, gpusBy }: Plan): object[] {
  if (gpus.length === 0) return []
  if (gpusBy === 'cdi') return [{ Driver: 'cdi', DeviceIDs: gpus.map((uuid) => `nvidia.com/gpu=${uuid}`) }]
  return [{ Driver: 'nvidia', DeviceIDs: gpus, Capabilities: [['gpu', 'compute', 'utility']] }]
}

/** All that an engine knows of its surroundings. `home` is where it may write. */
export function variables({ together, home }: { together: boolean; home: string }): [name: string, value: string][] {
  return [
    // Libraries ask who they are, and the answer need not be in any list of users.
    ...pairs({ HOME: home, USER: 'gpuhost', LOGNAME: 'gpuhost', TMPDIR: home, XDG_CACHE_HOME: `${home}/cache` }),
    ...pairs({ VLLM_CACHE_ROOT: `${home}/cache/vllm`, TRITON_CACHE_DIR: `${home}/cache/triton` }),
    ...pairs({ TORCHINDUCTOR_CACHE_DIR: `${home}/cache/inductor`, FLASHINFER_WORKSPACE_BASE: home }),
    ...pairs({
      HF_HOME: `${home}/cache/hf`,
      HF_HUB_OFFLINE: '1',
      TRANSFORMERS_OFFLINE: '1',
      HF_HUB_DISABLE_TELEMETRY: '1',
    }),
    ...pairs({ VLLM_NO_USAGE_STATS: '1', DO_NOT_TRACK: '1', VLLM_LOGGING_LEVEL: 'INFO', PYTHONUNBUFFERED: '1' }),
    ...pairs({ CUDA_DEVICE_ORDER: 'PCI_BUS_ID', VLLM_MAX_N_SEQUENCES: '16' }),
    // A host without a network still has itself to talk to; asking for its name would be waited for.
    ...pairs({ VLLM_HOST_IP: '127.0.0.1', GLOO_SOCKET_IFNAME: 'lo', NCCL_SOCKET_IFNAME: 'lo' }),
    // Drivers of consumer cards do not let them read each other's memory.
    ...(together ? pairs({ NCCL_P2P_DISABLE: '1' }) : []),
  ]
}

const pairs = (values: Record<string, string>) => Object.entries(values)
