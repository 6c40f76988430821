import { describe, expect, test } from 'bun:test'
import {
  type Ask,
  BEAT_MS,
  type FromHost,
  type FromHub,
  MAX_MODELS_PER_HOST,
  readAnswer,
  readAsk,
  readEnd,
  readFail,
  readFromHost,
  readFromHub,
  type Serving,
  WireError,
} from './frames.ts'

const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))

const serving: Serving = {
  model: 'Qwen/Qwen3-8B:fp8',
  engine: { name: 'vllm', version: '0.31.0' },
  contextTokens: 32_768,
  slots: 16,
  tokenIds: true,
}
const hello: FromHost = {
  type: 'hello',
  protocol: 1,
  agent: '0.1.0',
  machine: 'machine_01',
  name: 'attic',
  hardware: {
    gpus: [{ name: 'NVIDIA RTX 4090', memoryBytes: 24 * 2 ** 30, computeCapability: '8.9', uuid: null }],
    driver: '580.95',
    cpu: 'a cpu',
    cores: 16,
    memoryBytes: 64 * 2 ** 30,
    os: 'Linux 6.12',
    arch: 'x64',
    simulated: false,
  },
  serving: [serving],
  state: 'ready',
}
const fromHost: FromHost[] = [
  hello,
  { type: 'beat', epoch: 3, running: 2, waiting: 0 },
  { type: 'status', epoch: 3, state: 'draining', serving: [] },
]
const fromHub: FromHub[] = [
  {
    type: 'welcome',
    protocol: 1,
    host: 'hst_1',
    epoch: 3,
    hub: 'hub_1',
    hubs: ['wss://a/hosts/link'],
    beatMs: BEAT_MS,
  },
  { type: 'refused', code: 'bad_token', message: 'Get a new token.', retry: false },
  { type: 'beat', epoch: 3 },
  { type: 'wish', epoch: 3, wish: 'drain', reason: 'maintenance' },
]
const ask: Ask = {
  request: 'att_1',
  attempt: 1,
  path: '/v1/chat/completions',
  model: 'Qwen/Qwen3-8B',
  bodyBytes: 100,
  windowBytes: 65_536,
}

describe('words on the wire', () => {
  test.each(fromHost.map((said) => [said.type, said] as const))('a host’s %s is understood', (_, said) => {
    expect(readFromHost(bytes(said))).toEqual(said)
  })
  test.each(fromHub.map((said) => [said.type, said] as const))('a hub’s %s is understood', (_, said) => {
    expect(readFromHub(bytes(said))).toEqual(said)
  })
  test('the words of a stream are understood', () => {
    expect(readAsk(bytes(ask))).toEqual(ask)
    expect(readAnswer(bytes({ attempt: 1, status: 200 }))).toEqual({ attempt: 1, status: 200 })
    expect(readEnd(bytes({ attempt: 1, frames: 12 }))).toEqual({ attempt: 1, frames: 12 })
    const fail = { attempt: 1, class: 'engine' as const, code: 'cut', message: 'It went away.' }
    expect(readFail(bytes(fail))).toEqual(fail)
  })
  test('what a later version adds is passed over', () => {
    expect(readFromHub(bytes({ type: 'beat', epoch: 3, mood: 'good' }))).toMatchObject({ type: 'beat', epoch: 3 })
  })
})

describe('words nobody may say', () => {
  test.each([
    ['an engine path off the list', readAsk, { ...ask, path: '/v1/load_lora_adapter' }],
    ['a path that climbs', readAsk, { ...ask, path: '/v1/chat/completions/../../metrics' }],
    ['attempt zero', readAsk, { ...ask, attempt: 0 }],
    ['a body without end', readAsk, { ...ask, bodyBytes: 2 ** 40 }],
    ['a negative window', readAsk, { ...ask, windowBytes: -1 }],
    ['a model id with blanks', readAsk, { ...ask, model: 'a b' }],
    ['a status no HTTP has', readAnswer, { attempt: 1, status: 99 }],
    ['a wish to run something', readFromHub, { type: 'wish', epoch: 1, wish: 'run', reason: 'x' }],
    ['a wish from a host', readFromHost, fromHub[3]],
    ['a hello from a hub', readFromHub, hello],
    [
      'more models than a host may offer',
      readFromHost,
      { ...hello, serving: Array(MAX_MODELS_PER_HOST + 1).fill(serving) },
    ],
    ['a very long name', readFromHost, { ...hello, name: 'x'.repeat(61) }],
    ['a failure of no known class', readFail, { attempt: 1, class: 'client', code: 'x', message: '' }],
    ['null', readFromHub, null],
  ])('%s is refused, with the place named', (_, read, value) => {
    expect(() => read(bytes(value))).toThrow(WireError)
    expect(() => read(bytes(value))).toThrow('malformed at /')
  })

  test('broken JSON and broken text are refused without repeating them', () => {
    expect(() => readFromHub(new TextEncoder().encode('{"type":"secret'))).toThrow('a control payload is not JSON')
    expect(() => readFromHub(new Uint8Array([0x22, 0xff, 0x22]))).toThrow('a control payload is not JSON')
  })
})
