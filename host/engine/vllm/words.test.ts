// Tables: what an engine logs and what that means, the flags a machine gets, and the container as Docker is asked for it.
import { describe, expect, test } from 'bun:test'
import { catalog } from '../../../hub/catalog/models.ts'
import { plainCard } from '../../hardware/card.ts'
import { causeOf } from './cause.ts'
import { containerFor } from './container.ts'
import { toolkitTrouble } from './docker-here.ts'
import { unframed } from './docker.ts'
import { checkedArgs, flagsFor, shareOf } from './flags.ts'
import { fileIn, linkTo } from './install.ts'
import { describeStep, stepOf } from './phase.ts'
import { IMAGE, release } from './release.ts'
import { eachLine } from './runner.ts'
import { bytesPerToken } from './shape.ts'

describe('why an engine ended', () => {
  test.each([
    ['RuntimeError: The NVIDIA driver on your system is too old (found version 12040).', 'driver_too_old'],
    [
      'nvidia-container-cli: requirement error: unsatisfied condition: cuda>=13.0, please update your driver',
      'driver_too_old',
    ],
    ['CUDA error: no kernel image is available for execution on the device', 'wrong_architecture'],
    [
      'NVIDIA GeForce RTX 5090 with CUDA capability sm_120 is not compatible with the current PyTorch installation.',
      'wrong_architecture',
    ],
    [
      'ValueError: Bfloat16 is only supported on GPUs with compute capability of at least 8.0. The minimum GPU with compute capability is 8',
      'wrong_architecture',
    ],
    [
      'ValueError: Free memory on device cuda:0 (20.1/23.6 GiB) on startup is less than desired GPU memory utilization (0.92, 21.7 GiB).',
      'gpu_busy',
    ],
    [
      'ValueError: To serve at least one request with max seq len (32768), 4.50 GiB KV cache is needed, which is larger than the available KV cache memory (1.2 GiB).',
      'context_too_long',
    ],
    ['ValueError: No available memory for the cache blocks.', 'context_too_long'],
    ['torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.', 'gpu_out_of_memory'],
    ['Cannot access gated repo for url https://huggingface.co/meta-llama/…', 'gated'],
    ['OSError: /models/m does not appear to have a file named config.json.', 'weights_missing'],
    ['safetensors_rust.SafetensorError: Error while deserializing header: HeaderTooLarge', 'weights_damaged'],
    ["ValueError: Model architectures ['FooForCausalLM'] are not supported for now.", 'unknown_model'],
    ['vllm: error: unrecognized arguments: --frobnicate', 'bad_flag'],
    ['torch.AcceleratorError: CUDA error: an illegal memory access was encountered', 'gpu_lost'],
    ['RuntimeError: No CUDA GPUs are available', 'no_gpu'],
    ['could not select device driver "nvidia" with capabilities: [[gpu]]', 'no_gpu'],
    ['OSError: [Errno 28] No space left on device', 'disk_full'],
    ['ERROR: Unexpected bus error encountered in worker. Bus error (core dumped)', 'shared_memory'],
    ['RuntimeError: NCCL error: unhandled system error', 'nccl'],
    ['RuntimeError: Failed to find C compiler. Please specify via CC environment variable', 'no_compiler'],
    ["RuntimeError: can't start new thread", 'no_room_for_processes'],
    ['exec /usr/local/bin/vllm: exec format error', 'exec_format'],
  ])('%s', (line, code) => {
    const log = [
      'INFO 11-25 12:00:00 [api_server.py:1] vLLM API server version 0.31.0',
      line,
      'RuntimeError: Engine core initialization failed.',
    ]
    const cause = causeOf({ code: 1, outOfMemory: false, log })
    expect(cause.code).toBe(code)
    expect(cause.words).toMatch(/^([A-Z]|vLLM ).*[.)]$/)
  })

  test('the system’s word stands above the log’s', () => {
    const log = ['CUDA out of memory']
    expect(causeOf({ code: null, outOfMemory: true, log })).toMatchObject({ code: 'out_of_memory', again: true })
  })

  test('what nobody knows is quoted, without clock and process', () => {
    const log = ['(EngineCore pid=42) ERROR 11-25 12:00:00 [core.py:1] ValueError: the moon is full', 'goodbye']
    expect(causeOf({ code: 3, outOfMemory: false, log }).words).toBe(
      'The engine ended with code 3. It said: ValueError: the moon is full',
    )
    expect(causeOf({ code: null, outOfMemory: false, log: [] }).words).toBe('The engine was killed. It said nothing.')
  })
})

test.each([
  ['INFO 11-25 [model_runner.py:1] Starting to load model /models/m...', 'loading weights'],
  ['Loading safetensors checkpoint shards:  40% Completed | 2/5 [00:03<00:05,  1.71s/it]', 'loading weights (40 %)'],
  ['INFO [backends.py] torch.compile takes 38.4 s in total', 'capturing graphs'],
  ['Capturing CUDA graphs (decode, FULL):  60%|██████    | 21/35', 'capturing graphs (60 %)'],
  ['INFO: Application startup complete.', 'warming up'],
  ['INFO [parallel_state.py:1] rank 0 in world size 1', null],
])('%s', (line, phase) => {
  const step = stepOf(line)
  expect(step ? describeStep(step) : null).toBe(phase)
})

describe('flags', () => {
  const GIB = 2 ** 30
  const card = (memoryMib: number, freeMib: number, computeCapability: string) => ({
    ...plainCard('card', memoryMib * 2 ** 20),
    ...{ uuid: 'GPU-1', freeBytes: freeMib * 2 ** 20, computeCapability },
  })
  const qwen8 = { num_hidden_layers: 36, num_attention_heads: 32, num_key_value_heads: 8, head_dim: 128 }
  const rtx4090 = card(24_564, 24_080, '8.9')
  const wanted = {
    choice: { variant: 'Qwen/Qwen3-8B:bf16', args: ['--reasoning-parser', 'qwen3'], contextTokens: 32_768 },
    ...{ cards: [rtx4090], weightBytes: 16.4e9, config: qwen8, model: '/models/m', socket: '/run/gpuhost/v.sock' },
  }

  test('of a model on one card: all of it, in order', () => {
    expect(flagsFor(wanted).args.join(' ')).toBe(
      '/models/m --served-model-name Qwen/Qwen3-8B:bf16 --uds /run/gpuhost/v.sock --max-model-len 32768 --max-num-seqs 16 ' +
        '--gpu-memory-utilization 0.92 --load-format safetensors --generation-config vllm --reasoning-parser qwen3',
    )
  })

  test.each([
    // cards, GiB of weights, context, and what comes of it
    [
      'a desktop’s card, partly taken',
      [card(24_564, 20_000, '8.9')],
      6e9,
      { share: '0.78', context: 32_768, slots: 32 },
    ],
    ['a small card', [card(8_188, 7_900, '8.9')], 5.5e9, { share: '0.87', context: 7_520, slots: 2, eager: true }],
    [
      'a card that is just large enough',
      [card(20_470, 20_100, '8.9')],
      16.4e9,
      { share: '0.92', context: 11_776, slots: 4 },
    ],
    ['an old card', [card(15_360, 15_000, '7.5')], 6e9, { share: '0.92', context: 32_768, slots: 16, half: true }],
    [
      'two cards together',
      [rtx4090, card(24_564, 23_000, '8.9')],
      38e9,
      { share: '0.9', context: 32_768, slots: 16, two: true },
    ],
    ['a large card', [card(81_559, 81_000, '9.0')], 16.4e9, { share: '0.92', context: 32_768, slots: 128 }],
  ])('%s', (_, cards, weightBytes, { share, context, slots, ...flags }) => {
    const { args, contextTokens, slots: found } = flagsFor({ ...wanted, cards, weightBytes })
    expect([Number(args[args.indexOf('--gpu-memory-utilization') + 1]), contextTokens, found]).toEqual([
      Number(share),
      context,
      slots,
    ])
    expect({
      ...(args.includes('--enforce-eager') ? { eager: true } : {}),
      ...(args.includes('half') ? { half: true } : {}),
      ...(args.includes('--tensor-parallel-size') ? { two: true } : {}),
    }).toEqual(flags)
  })

  test('a model that leaves no room for a request is refused with numbers', () => {
    const little = { ...wanted, cards: [card(16_376, 16_000, '8.9')] }
    expect(() => flagsFor(little)).toThrow(
      /weights have 15.3 GiB, and of the 16.0 GiB of GPU memory 14.7 GiB can be taken/,
    )
  })

  test('a cache in eight bits holds twice as many tokens', () => {
    expect(bytesPerToken(qwen8, 2)).toBe(147_456)
    expect(bytesPerToken({ text_config: qwen8 }, 1)).toBe(73_728)
    expect(bytesPerToken({ num_hidden_layers: 61, kv_lora_rank: 512, qk_rope_head_dim: 64 }, 2)).toBe(70_272)
    expect(bytesPerToken({}, 2)).toBeNull()
  })

  test('never more of a card than is free', () => {
    expect(shareOf({ ...rtx4090, freeBytes: 12 * GIB })).toBe(0.47)
    expect(shareOf({ ...rtx4090, freeBytes: 0.5 * GIB })).toBe(0)
  })

  test('every flag of the catalog is one that a host takes', () => {
    const variants = catalog.flatMap(({ variants }) => variants)
    for (const { args } of variants) expect(() => checkedArgs(args)).not.toThrow()
    expect(variants.length).toBeGreaterThan(20)
  })

  test.each([
    [['--trust-remote-code']],
    [['--tool-parser-plugin', '/tmp/x.py']],
    [['--chat-template', '/etc/passwd']],
    [['--host', '0.0.0.0']],
    [['--middleware', 'os.system']],
    [['--reasoning-parser=--trust-remote-code']],
    [['--quantization', '../../x']],
    [['--load-format', 'pt']],
    [['--hf-overrides', '{}']],
    [['--reasoning-parser']],
    [['/models/other']],
  ])('a hub that asks for %j is refused', (args) => {
    expect(() => checkedArgs(args)).toThrow('does not pass on')
  })
})

test('GPUs go by their UUID, whichever way Docker hands them out', () => {
  const plan = {
    ...{ name: 'x', machine: 'm', engine: 0, image: release.image, args: [], gpus: ['GPU-a', 'GPU-b'], user: '2000:0' },
    ...{ weights: '/w', sockets: '/s', memoryBytes: 8e9, cores: 4 },
  }
  const nvidia = containerFor({ ...plan, gpusBy: 'nvidia' })
  expect(nvidia.HostConfig.DeviceRequests).toEqual([
    { Driver: 'nvidia', DeviceIDs: ['GPU-a', 'GPU-b'], Capabilities: [['gpu', 'compute', 'utility']] },
  ])
  expect(nvidia.HostConfig.ShmSize).toBe(8 * 2 ** 30)
  expect(nvidia.Env).toContain('NCCL_P2P_DISABLE=1')
  expect(containerFor({ ...plan, gpusBy: 'cdi' }).HostConfig.DeviceRequests).toEqual([
    { Driver: 'cdi', DeviceIDs: ['nvidia.com/gpu=GPU-a', 'nvidia.com/gpu=GPU-b'] },
  ])
})

test.each([
  ['NVIDIA Container Toolkit CLI version 1.17.7\ncommit: x', true],
  ['NVIDIA Container Toolkit CLI version 1.16.9', true],
  ['NVIDIA Container Toolkit CLI version 1.17.8', false],
  ['NVIDIA Container Toolkit CLI version 1.18.0-rc.1', false],
  ['NVIDIA Container Toolkit CLI version 2.0.0', false],
  ['something else', false],
])('the toolkit that says %j is refused: %p', (said, refused) => {
  expect(toolkitTrouble(said) !== null).toBe(refused)
})

test('an image is named by its digest, not by a name alone', () => {
  expect(IMAGE.test(release.image)).toBe(true)
  expect(IMAGE.test('vllm/vllm-openai:latest')).toBe(false)
  expect(IMAGE.test(`x@sha256:${'0'.repeat(63)}`)).toBe(false)
})

test('what Docker writes before each piece is taken out, wherever the pieces are cut', async () => {
  const framed = [1, 2].flatMap((stream, at) => [
    stream,
    0,
    0,
    0,
    0,
    0,
    0,
    6,
    ...Buffer.from(at === 0 ? 'hello\n' : 'there\n'),
  ])
  for (const cut of [1, 3, 9, 28]) {
    const lines: string[] = []
    const pieces = Array.from({ length: Math.ceil(framed.length / cut) }, (_, at) =>
      Uint8Array.from(framed.slice(at * cut, (at + 1) * cut)),
    )
    await eachLine(unframed(stream(pieces)), (line) => void lines.push(line))
    expect(lines).toEqual(['hello', 'there'])
  }
})

test('a package is found in an index of either kind, and its program in the package', () => {
  const json = JSON.stringify({ files: [{ filename: 'uv-1.whl', url: '../../files/uv-1.whl' }] })
  expect(linkTo(json, 'uv-1.whl', 'https://index.example/simple/uv/')).toBe('https://index.example/files/uv-1.whl')
  const html = '<a href="https://files.example/x/uv-1.whl#sha256=ab">uv-1.whl</a>'
  expect(linkTo(html, 'uv-1.whl', 'https://index.example/simple/uv/')).toBe('https://files.example/x/uv-1.whl')
  expect(linkTo(html, 'uv-2.whl', 'https://index.example/simple/uv/')).toBeUndefined()
  const archive = zip('uv-1.data/scripts/uv', 'a program')
  expect(Buffer.from(fileIn(archive, 'uv-1.data/scripts/uv')).toString()).toBe('a program')
  expect(() => fileIn(archive, 'other')).toThrow('not made as expected')
  expect(() => fileIn(new Uint8Array(10), 'other')).toThrow('not made as expected')
})

async function* stream(pieces: Uint8Array[]) {
  yield* pieces
}

/** An archive with one file. */
function zip(name: string, content: string): Uint8Array {
  const packed = Bun.deflateSync(Buffer.from(content))
  const sizes = [0, 0, packed.length, content.length]
  const local = record('4 2 2 2 2 2 4 4 4 2 2', [0x04034b50, 20, 0, 8, 0, 0, ...sizes.slice(1), name.length, 0])
  const central = [0x02014b50, 20, 20, 0, 8, 0, 0, ...sizes.slice(1), name.length, 0, 0, 0, 0, 0, 0]
  const entry = record('4 2 2 2 2 2 2 4 4 4 2 2 2 2 2 4 4', central)
  const begin = [...local, ...Buffer.from(name), ...packed]
  const directory = [...entry, ...Buffer.from(name)]
  const end = record('4 2 2 2 2 4 4 2', [0x06054b50, 0, 0, 1, 1, directory.length, begin.length, 0])
  return Uint8Array.from([...begin, ...directory, ...end])
}

function record(widths: string, values: number[]): number[] {
  return widths.split(' ').flatMap((width, at) => {
    const bytes = Buffer.alloc(Number(width))
    bytes.writeUIntLE(values[at] ?? 0, 0, Number(width))
    return [...bytes]
  })
}
