// vLLM's flags, from what was chosen and what the cards have. Pure: the same machine gets the same flags.
import type { Choice } from '../../choice.ts'
import { HostError } from '../../errors.ts'
import type { Card } from '../../hardware/card.ts'
import { bytesPerToken } from './shape.ts'

export interface Flags {
  args: string[]
  contextTokens: number
  /** Requests it works on at a time. */
  slots: number
}

interface Wanted {
  choice: Pick<Choice, 'variant' | 'args' | 'contextTokens'>
  /** The cards of one engine; none: it computes on the processor. */
  cards: readonly Card[]
  /** Of the weights on disk. */
  weightBytes: number
  /** The model's `config.json`. */
  config: unknown
  /** Where it finds the weights, and where it is to listen. */
  model: string
  socket: string
}

const GIB = 2 ** 30
/** Of a card's memory, at most; vLLM's own default is little less. */
const MOST_SHARE = 0.92
/** Stays free beside what other programs hold: CUDA itself, and what they still take. */
export const SPARE_BYTES = 0.7 * GIB
/** What an engine needs a card beside weights and cache: activations, graphs. */
const WORK_BYTES = 1.5 * GIB
/** Below this a card has no room for captured graphs, and needs less without. */
const SMALL_CARD_BYTES = 9 * GIB
const SMALL_WORK_BYTES = 0.8 * GIB
/** A request in the middle of its life. */
const USUAL_TOKENS = 2_048
const MOST_SLOTS = 256
const LEAST_CONTEXT = 4_096
/** Where the model does not say how large its cache is: requests at a time by memory of the cards, GiB. */
const SLOTS_BY_GIB: readonly (readonly [gib: number, slots: number])[] = [
  [70, 128],
  [40, 64],
  [22, 32],
  [14, 16],
  [0, 8],
]

/** @throws HostError where the catalog's flags are not such as a host takes, or the cards hold too little */
export function flagsFor({ choice, cards, weightBytes, config, model, socket }: Wanted): Flags {
  const given = checkedArgs(choice.args)
  const share = cards.length === 0 ? null : Math.min(...cards.map(shareOf))
  const { contextTokens, slots } = room({ choice, cards, share, weightBytes, config, args: given })
  const old = cards.some(({ computeCapability }) => computeCapability !== null && Number(computeCapability) < 8)
  const unless = (name: string, ...words: string[]) => (given.includes(name) ? [] : [name, ...words])
  const args = [
    ...[model, '--served-model-name', choice.variant, '--uds', socket],
    ...['--max-model-len', String(contextTokens), '--max-num-seqs', String(slots)],
    ...(share === null ? [] : ['--gpu-memory-utilization', share.toFixed(2)]),
    // Other formats can hold programs.
    ...unless('--load-format', 'safetensors'),
    // The hub says how an answer is drawn, not a file beside the weights.
    ...['--generation-config', 'vllm'],
    ...(cards.length > 1 ? ['--tensor-parallel-size', String(cards.length), '--disable-custom-all-reduce'] : []),
    ...(cards.some(isSmall) ? unless('--enforce-eager') : []),
    ...(old ? unless('--dtype', 'half') : []),
    ...given,
  ]
  return { args, contextTokens, slots }
}

/** The share of a card vLLM may take: it counts from the whole, and refuses to start when less is free. */
export function shareOf({ memoryBytes, freeBytes }: Card): number {
  const free = freeBytes ?? memoryBytes
  return Math.max(0, Math.floor(Math.min(MOST_SHARE, (free - SPARE_BYTES) / memoryBytes) * 100) / 100)
}

interface Needed {
  choice: Pick<Choice, 'variant' | 'contextTokens'>
  cards: readonly Card[]
  share: number | null
  weightBytes: number
  config: unknown
  args: readonly string[]
}

function room({ choice, cards, share, weightBytes, config, args }: Needed) {
  if (share === null) return { contextTokens: choice.contextTokens, slots: 8 }
  const memory = Math.min(...cards.map(({ memoryBytes }) => memoryBytes)) * cards.length
  const work = cards.reduce((sum, card) => sum + (isSmall(card) ? SMALL_WORK_BYTES : WORK_BYTES), 0)
  const cache = memory * share - weightBytes - work
  const perToken = bytesPerToken(config, args.some((word) => word.startsWith('fp8')) ? 1 : 2)
  if (perToken === null) {
    const [, slots] = SLOTS_BY_GIB.find(([gib]) => memory >= gib * GIB) ?? [0, 8]
    return { contextTokens: choice.contextTokens, slots }
  }
  const tokens = Math.floor(cache / perToken)
  if (tokens < Math.min(LEAST_CONTEXT, choice.contextTokens))
    throw new HostError(
      `${choice.variant} leaves no room for requests: its weights have ${gib(weightBytes)}, and of the ${gib(memory)} of ` +
        `GPU memory ${gib(memory * share)} can be taken now. End other programs that use the GPU, or choose a smaller variant.`,
      3,
    )
  return {
    // In whole blocks of the cache.
    contextTokens: Math.min(choice.contextTokens, Math.floor(tokens / 16) * 16),
    slots: Math.max(2, Math.min(MOST_SLOTS, 2 ** Math.floor(Math.log2(Math.max(2, tokens / USUAL_TOKENS))))),
  }
}

const isSmall = ({ memoryBytes }: Card) => memoryBytes < SMALL_CARD_BYTES
const gib = (bytes: number) => `${(bytes / GIB).toFixed(1)} GiB`

/**
 * What a catalog may say. The hub’s word is not taken for a command: flags that load programs, open ports or read other
 * files are not among these. A number: values that follow.
 */
const TAKEN: Readonly<Record<string, 0 | 1>> = {
  '--enable-auto-tool-choice': 0,
  '--tool-call-parser': 1,
  '--reasoning-parser': 1,
  '--quantization': 1,
  '--kv-cache-dtype': 1,
  '--dtype': 1,
  '--enforce-eager': 0,
  '--language-model-only': 0,
  '--tokenizer-mode': 1,
  '--config-format': 1,
  '--load-format': 1,
  '--no-enable-prefix-caching': 0,
}
/** How cards work together is this machine's to say. */
const OURS: Readonly<Record<string, 0 | 1>> = { '--tensor-parallel-size': 1, '--pipeline-parallel-size': 1 }
const FORMATS = ['auto', 'safetensors', 'mistral']

/** @throws HostError */
export function checkedArgs(args: readonly string[]): string[] {
  const words = args.flatMap((word) =>
    /^--[^=]+=/.test(word) ? [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)] : [word],
  )
  const taken: string[] = []
  for (let at = 0; at < words.length; at++) {
    const name = (words[at] ?? '').replaceAll('_', '-')
    const values = TAKEN[name] ?? OURS[name]
    const value = words[at + 1]
    if (values === undefined) throw refused(words[at] ?? '')
    if (values === 1 && (value === undefined || !/^[A-Za-z0-9][\w.-]{0,60}$/.test(value)))
      throw refused(`${name} ${value}`)
    if (name === '--load-format' && !FORMATS.includes(value ?? '')) throw refused(`${name} ${value}`)
    if (name in TAKEN) taken.push(name, ...(values === 1 ? [value ?? ''] : []))
    at += values
  }
  return taken
}

const refused = (flag: string) =>
  new HostError(`The catalog asks for a flag of vLLM that this program does not pass on: ${flag.slice(0, 80)}.`)
