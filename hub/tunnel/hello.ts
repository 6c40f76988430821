// What a host says of itself when it links, judged: who may serve here, under which names, and a refusal that says
// what to do next to everyone else.
import { Type } from '@sinclair/typebox'
import { LOCKED } from '../fleet/locks.ts'
import {
  type Gpu,
  type Hardware,
  type Hello,
  OLDEST_PROTOCOL,
  PROTOCOL,
  readFromHost,
  reader,
  type Refused,
  type Serving,
  WireError,
} from '../../sdk/wire/frames.ts'

/** Canonical id of the variant a host names, or null when this hub does not offer it. */
export type Knows = (model: string) => string | null

export interface Rules {
  allowSimulated: boolean
  knows: Knows
}

/** One variant a host offers, under the catalog's own name. */
export interface Served {
  variant: string
  /** What the host calls it: the variant's id, or its model's. */
  name: string
  slots: number
  contextTokens: number
  tokenIds: boolean
}

export interface Introduction {
  /** The protocol both will speak. */
  protocol: number
  hello: Hello
  serving: Served[]
}

export type Refusal = Omit<Refused, 'type'>

const readProtocol = reader(Type.Object({ protocol: Type.Number() }))

/** Reads the first control payload of a link. */
export function judge(payload: Uint8Array, rules: Rules): Introduction | Refusal {
  try {
    // Before its form: an older agent may say hello in words this hub no longer reads.
    if (readProtocol(payload).protocol < OLDEST_PROTOCOL) return oldProtocol
    const hello = readFromHost(payload)
    if (hello.type !== 'hello') return badHello('the first frame must be a hello')
    return welcome(hello, rules)
  } catch (error) {
    if (error instanceof WireError) return badHello(error.message)
    throw error
  }
}

function welcome(hello: Hello, { allowSimulated, knows }: Rules): Introduction | Refusal {
  if (hello.hardware.simulated && !allowSimulated) return simulated
  const { served, unknown } = servedBy(hello.serving, knows)
  if (unknown.length > 0) return unknownModel(unknown)
  return { protocol: Math.min(hello.protocol, PROTOCOL), hello: cleaned(hello), serving: served }
}

/** What of `serving` this hub offers, each variant once, and the names it does not know. */
export function servedBy(serving: Serving[], knows: Knows): { served: Served[]; unknown: string[] } {
  const served = new Map<string, Served>()
  const unknown: string[] = []
  for (const { model, slots, contextTokens, tokenIds } of serving) {
    const variant = knows(model)
    if (variant === null) unknown.push(model)
    else if (!served.has(variant)) served.set(variant, { variant, name: model, slots, contextTokens, tokenIds })
  }
  return { served: [...served.values()], unknown }
}

const oldProtocol: Refusal = {
  code: 'old_protocol',
  message: 'This hub no longer speaks the protocol of this agent. Run `gpuhost update`.',
  retry: false,
}

const simulated: Refusal = {
  code: 'simulated_not_allowed',
  message:
    'This hub accepts no simulated GPUs. Start without --simulate-gpu, or ask its team to set GPUHUB_ALLOW_SIMULATED=1.',
  retry: false,
}

export const locked: Refusal = { code: 'locked', message: LOCKED, retry: false }

function badHello(why: string): Refusal {
  return {
    code: 'bad_hello',
    message: `The hello was not understood: ${why}. Run \`gpuhost update\`.`.slice(0, 500),
    retry: false,
  }
}

function unknownModel(models: string[]): Refusal {
  const few = models.slice(0, 3).join(', ')
  return {
    code: 'unknown_model',
    message: `This hub does not offer ${few}. Choose a model that \`gpuhost models\` lists.`,
    retry: false,
  }
}

/** Words that will be stored, printed on terminals and shown on pages, without what could act there. */
function cleaned(hello: Hello): Hello {
  const agent = printable(hello.agent)
  const failed = hello.failedUpdate === undefined ? {} : { failedUpdate: printable(hello.failedUpdate) }
  return { ...hello, ...failed, agent, name: nameOf(hello.name), hardware: cleanedHardware(hello.hardware) }
}

function cleanedHardware(hardware: Hardware): Hardware {
  const gpu = ({ name, memoryBytes, computeCapability, uuid }: Gpu): Gpu => ({
    name: printable(name),
    memoryBytes,
    computeCapability: computeCapability === null ? null : printable(computeCapability),
    uuid: uuid === null ? null : printable(uuid),
  })
  return {
    gpus: hardware.gpus.map(gpu),
    driver: hardware.driver === null ? null : printable(hardware.driver),
    cpu: printable(hardware.cpu),
    cores: hardware.cores,
    memoryBytes: hardware.memoryBytes,
    os: printable(hardware.os),
    arch: printable(hardware.arch),
    simulated: hardware.simulated,
  }
}

function nameOf(text: string): string {
  const name = text
    .normalize('NFKC')
    .replace(/[^A-Za-z0-9 ._-]+/g, '-')
    .trim()
    .slice(0, 40)
  return name || 'host'
}

/** Without control, format and unassigned characters, and halves of surrogate pairs. */
function printable(text: string): string {
  return text.replace(/\p{C}/gu, '')
}
