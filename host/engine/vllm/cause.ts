// Why an engine ended, in words its owner can act on, from the end of its log.

export interface Cause {
  code: string
  /** One or two sentences: what happened, and what to do. */
  words: string
  /** Starting it again as it is may help. */
  again: boolean
}

export interface Ended {
  /** Null: by a signal. */
  code: number | null
  /** The system ended it for its memory. */
  outOfMemory: boolean
  /** Oldest line first. */
  log: readonly string[]
}

/** What it says, and what that means. The first that fits counts: from the particular to the general. */
const KNOWN: readonly (readonly [code: string, sign: RegExp, words: string, again?: 'again'])[] = [
  [
    'driver_too_old',
    /driver (on your system )?is too old|CUDA driver version is insufficient|unsatisfied condition: cuda>=|forward compatibility was attempted/i,
    'The NVIDIA driver is too old for this vLLM, which needs 580 or newer. Install a newer one (on Ubuntu: sudo ubuntu-drivers install) and reboot.',
  ],
  [
    'wrong_architecture',
    /no kernel image is available|not compatible with the current PyTorch installation|compute capability[^.]*(is not|not) supported|(requires|minimum) (a )?(gpu|device)s? .*compute capability/i,
    'This GPU’s generation cannot compute the model in this form. Choose another variant: gpuhost models lists those that fit.',
  ],
  [
    'exec_format',
    /exec format error|Illegal instruction/i,
    'The engine is built for another processor than this machine has.',
  ],
  [
    'gpu_busy',
    /Free memory on device .*is less than desired/i,
    'Another program holds memory of the GPU. End it (nvidia-smi shows which), then start again.',
    'again',
  ],
  [
    'context_too_long',
    /larger than the (maximum number of tokens|available KV cache memory)|KV cache is needed, which is larger|No available memory for the cache blocks/i,
    'The GPU has too little memory left for the model’s context. End other programs that use it, or choose a smaller variant.',
  ],
  [
    'gpu_out_of_memory',
    /CUDA out of memory|OutOfMemoryError|CUDA error: out of memory|CUBLAS_STATUS_ALLOC_FAILED/i,
    'The GPU ran out of memory. End other programs that use it (nvidia-smi shows which), or choose a smaller variant.',
    'again',
  ],
  [
    'gated',
    /gated repo|401 Client Error|403 Client Error|Access to model .* is restricted/i,
    'The engine looked for files of the model that are not here. Download it again: gpuhost weights remove, then gpuhost setup.',
  ],
  [
    'weights_missing',
    /Cannot find any model weights|does not appear to have a file named|Can't load (tokenizer|the configuration)|Invalid repository ID or local directory|LocalEntryNotFoundError|OfflineModeIsEnabled/i,
    'Files of the model are missing. Download it again: gpuhost weights remove, then gpuhost setup.',
  ],
  [
    'weights_damaged',
    /SafetensorError|Error while deserializing header|invalid JSON in header|MetadataIncompleteBuffer/i,
    'Files of the model are damaged; the disk may be failing. Remove them (gpuhost weights remove) and run gpuhost setup again.',
  ],
  [
    'unknown_model',
    /Model architectures .* (are not|is not) supported|does not recognize this architecture|has no vLLM implementation/i,
    'This version of vLLM does not know the model. Update gpuhost, or choose another model.',
  ],
  [
    'bad_flag',
    /unrecognized arguments|invalid choice:|error: argument --/i,
    'vLLM does not take the flags this hub’s catalog has for the model. Tell the people who run the hub, or choose another variant.',
  ],
  [
    'gpu_lost',
    /GPU is lost|fallen off the bus|uncorrectable ECC|Xid|device-side assert|unspecified launch failure|an illegal memory access|GPU requires reset/i,
    'The GPU failed while it computed. See dmesg for Xid errors; reboot if it happens again.',
    'again',
  ],
  [
    'no_gpu',
    /No CUDA GPUs are available|Found no NVIDIA driver|could not select device driver|Failed to initialize NVML|nvidia-container-cli: initialization error|Failed to infer device type|unresolvable CDI devices/i,
    'The engine does not see the GPU. In Docker, the NVIDIA container toolkit has to be installed (nvidia-ctk runtime configure --runtime=docker, then restart Docker); gpuhost doctor says more.',
  ],
  [
    'disk_full',
    /No space left on device|disk quota exceeded|ENOSPC/i,
    'The disk is full. Make room (gpuhost weights list shows what can go), then start again.',
  ],
  [
    'shared_memory',
    /Bus error|insufficient shared memory|unable to (open|write to) (file|shared memory)/i,
    'The engine ran out of shared memory. In a container it is set by whoever started that: give it --shm-size 8g.',
  ],
  [
    'nccl',
    /NCCL error|ncclUnhandled|ncclSystemError|ncclInternalError/i,
    'The GPUs of the group cannot talk to each other. Choose a model that fits one of them.',
    'again',
  ],
  [
    'no_compiler',
    /Failed to find C compiler|Python\.h: No such file|cannot find -lcuda/i,
    'The engine needs a C compiler for its kernels. On Debian and Ubuntu: apt-get install gcc libc6-dev.',
  ],
  [
    'no_room_for_processes',
    /Resource temporarily unavailable|can't start new thread|Too many open files/i,
    'The system gives the engine too few processes or files. Raise the limits of this machine (ulimit -n, ulimit -u).',
  ],
]

/** The cause of an end; `unknown` quotes the last line that looks like one. */
export function causeOf({ code, outOfMemory, log }: Ended): Cause {
  if (outOfMemory || log.some((line) => /Out of memory: Killed process|oom-kill/.test(line)))
    return {
      code: 'out_of_memory',
      words: 'The machine ran out of memory. End other programs, or give it more memory.',
      again: true,
    }
  for (const [name, sign, words, again] of KNOWN)
    if (log.some((line) => sign.test(line))) return { code: name, words, again: again !== undefined }
  const last = log.findLast((line) => /\w*(Error|Exception|Fatal|error)\b:?\s/.test(line)) ?? log.at(-1)
  const how = code === null ? 'was killed' : `ended with code ${code}`
  const said = last === undefined ? 'It said nothing.' : `It said: ${plain(last)}`
  return { code: 'unknown', words: `The engine ${how}. ${said}`, again: true }
}

/** Without clock and colours, and short. */
function plain(line: string): string {
  return line
    .replace(/^\((EngineCore|APIServer|Worker)[^)]*\)\s*/, '')
    .replace(/^(ERROR|INFO|WARNING) \d\d-\d\d \d\d:\d\d:\d\d \[[^\]]*\]\s*/, '')
    .slice(0, 200)
}
