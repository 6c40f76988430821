// Every word hub and host say to each other. README.md beside this file draws one conversation and says how the
// protocol may change. Both sides treat what arrives as untrusted: decoded by codec.ts, checked once, here.
import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'

/** The version this build speaks. A hub serves this one and the one before. */
export const PROTOCOL = 1
export const OLDEST_PROTOCOL = 1

export const MAX_PAYLOAD_BYTES = 256 * 1024
/** Both sides send a beat this often … */
export const BEAT_MS = 5_000
/** … and take a link that was silent this long for lost. */
export const SILENCE_MS = 12_000
/** Engine bytes a host may send on one stream before the hub has returned credit. */
export const WINDOW_BYTES = 64 * 1024
/** Streams one link carries at a time. */
export const MAX_STREAMS_PER_LINK = 1_024
export const MAX_MODELS_PER_HOST = 32

/** What a frame is. Stream 0 carries only `control`; all other kinds belong to a stream the hub opened with `ask`. */
export const kind = {
  /** Either way, stream 0: one JSON `Control`. */
  control: 1,
  /** Hub → host: JSON `Ask`, opens a stream. */
  ask: 2,
  /** Hub → host: the next piece of the request body, raw. */
  body: 3,
  /** Host → hub: JSON `Answer`, the engine's status line. */
  answer: 4,
  /** Host → hub: u32 sequence number (0, 1, 2 …), then raw engine bytes. */
  data: 5,
  /** Host → hub: JSON `End`, the engine closed its answer normally. */
  end: 6,
  /** Host → hub: JSON `Fail`, the stream is over without an answer. */
  fail: 7,
  /** Hub → host: no payload, stop the engine's work and forget the stream. */
  cancel: 8,
  /** Hub → host: u32, bytes the host may send beyond what it was allowed before. */
  credit: 9,
} as const
export type Kind = (typeof kind)[keyof typeof kind]

const id = Type.String({ minLength: 1, maxLength: 80, pattern: '^[A-Za-z0-9_.:/-]+$' })
const words = (maxLength: number) => Type.String({ maxLength })
const whole = (maximum: number) => Type.Integer({ minimum: 0, maximum })

/** One card, as the host reports it. Sizes in bytes; compute capability as NVIDIA writes it ("8.9"). */
export const Gpu = Type.Object({
  name: words(80),
  memoryBytes: whole(2 ** 50),
  computeCapability: Type.Union([words(10), Type.Null()]),
  uuid: Type.Union([words(80), Type.Null()]),
})
export type Gpu = Static<typeof Gpu>

export const Hardware = Type.Object({
  gpus: Type.Array(Gpu, { maxItems: 32 }),
  driver: Type.Union([words(40), Type.Null()]),
  cpu: words(120),
  cores: whole(4096),
  memoryBytes: whole(2 ** 50),
  os: words(80),
  arch: words(20),
  /** True when the GPU is said openly to be simulated. A hub refuses such a host unless its team allows it. */
  simulated: Type.Boolean(),
})
export type Hardware = Static<typeof Hardware>

/** One variant a host offers. */
export const Serving = Type.Object({
  /** Catalog id of the variant, e.g. `Qwen/Qwen3-8B:fp8`, or a model id, which means its default variant. */
  model: id,
  engine: Type.Object({ name: words(40), version: Type.Union([words(40), Type.Null()]) }),
  /** Longest prompt plus answer the engine takes, tokens. */
  contextTokens: whole(2 ** 31),
  /** Requests the engine works on at a time before it queues. */
  slots: Type.Integer({ minimum: 1, maximum: 4096 }),
  /** The engine takes token ids for a prompt, so that it can go on exactly where another broke off. */
  tokenIds: Type.Boolean(),
})
export type Serving = Static<typeof Serving>

export const HostState = Type.Union([Type.Literal('ready'), Type.Literal('draining')])
export type HostState = Static<typeof HostState>

/**
 * Why a host takes nothing new, in a word: `owner` ends it, `use`: its owner uses the card, `schedule`: outside its hours,
 * `power`: the price is below the cost of power, `heat`, `data`: used up for this month, `engine`: not ready, `hub`: asked to.
 * A hub that does not know the word shows none.
 */
const rests = Type.Optional(words(20))

/** Host → hub, first frame on a link. Who is speaking was proven by the token in the upgrade request. */
export const Hello = Type.Object({
  type: Type.Literal('hello'),
  protocol: Type.Integer({ minimum: 1, maximum: 1_000 }),
  /** Version of the agent program. */
  agent: words(40),
  /** Stable for this installation: two links with the same token and machine are the same host. */
  machine: id,
  /** New at every start of the agent: tells a machine that came back from a second one with its identity. */
  run: Type.Optional(id),
  name: words(60),
  /** Version of a newer agent that did not work here within the last days: this one took over again. */
  failedUpdate: Type.Optional(words(40)),
  hardware: Hardware,
  serving: Type.Array(Serving, { maxItems: MAX_MODELS_PER_HOST }),
  state: HostState,
  rests,
})
export type Hello = Static<typeof Hello>

/** Hub → host, the answer to `hello`. */
export const Welcome = Type.Object({
  type: Type.Literal('welcome'),
  protocol: Type.Integer({ minimum: 1, maximum: 1_000 }),
  /** The hub's id for this host. */
  host: id,
  /** Of this link: grows with every link of this host to this hub; the newer fences the older. */
  epoch: whole(Number.MAX_SAFE_INTEGER),
  hub: id,
  /** Link addresses (`wss://…/hosts/link`) of every hub of the deployment; empty: this one alone. */
  hubs: Type.Array(words(200), { maxItems: 64 }),
  beatMs: Type.Integer({ minimum: 100, maximum: 60_000 }),
})
export type Welcome = Static<typeof Welcome>

/** Hub → host, instead of `welcome`, before closing. `retry: false` means trying again as is will not help. */
export const Refused = Type.Object({
  type: Type.Literal('refused'),
  code: Type.Union([
    Type.Literal('bad_token'),
    Type.Literal('bad_hello'),
    Type.Literal('old_protocol'),
    Type.Literal('simulated_not_allowed'),
    Type.Literal('unknown_model'),
    Type.Literal('superseded'),
    Type.Literal('locked'),
    Type.Literal('busy'),
    Type.Literal('stopping'),
  ]),
  message: words(500),
  retry: Type.Boolean(),
})
export type Refused = Static<typeof Refused>

/** Either way, every `beatMs`. */
export const Beat = Type.Object({
  type: Type.Literal('beat'),
  epoch: whole(Number.MAX_SAFE_INTEGER),
  /** Host → hub only: requests running on this machine for all hubs together, and waiting in its engine. */
  running: Type.Optional(whole(1_000_000)),
  waiting: Type.Optional(whole(1_000_000)),
  /** Hub → host only, at once after a status: what it has noted. After `draining` no further ask follows. */
  noted: Type.Optional(HostState),
  /** Hub → host only: the host is to beat at once, so that the hub knows it lives. */
  answer: Type.Optional(Type.Boolean()),
  /** Hub → host: the host is to beat at once with the same number; host → hub: it does. So round trips are measured. */
  echo: Type.Optional(whole(Number.MAX_SAFE_INTEGER)),
  /** Hub → host only: as in the welcome, where it has changed since this link was told. */
  hubs: Type.Optional(Type.Array(words(200), { maxItems: 64 })),
})
export type Beat = Static<typeof Beat>

/** Host → hub: what it offers or whether it takes new requests has changed. */
export const Status = Type.Object({
  type: Type.Literal('status'),
  epoch: whole(Number.MAX_SAFE_INTEGER),
  state: HostState,
  rests,
  serving: Type.Array(Serving, { maxItems: MAX_MODELS_PER_HOST }),
})
export type Status = Static<typeof Status>

/** Hub → host: the only three wishes a hub can have. The owner's own word always wins. */
export const Wish = Type.Object({
  type: Type.Literal('wish'),
  epoch: whole(Number.MAX_SAFE_INTEGER),
  wish: Type.Union([Type.Literal('drain'), Type.Literal('resume'), Type.Literal('update')]),
  reason: words(200),
})
export type Wish = Static<typeof Wish>

export const FromHost = Type.Union([Hello, Beat, Status])
export type FromHost = Static<typeof FromHost>
export const FromHub = Type.Union([Welcome, Refused, Beat, Wish])
export type FromHub = Static<typeof FromHub>

/** The engine paths a host will ask for. Everything else on the engine's port stays unreachable. */
export const enginePaths = ['/v1/chat/completions', '/v1/completions'] as const
export type EnginePath = (typeof enginePaths)[number]

/** Opens a stream: one attempt of one request. Stream ids grow and are never used twice on a link. */
export const Ask = Type.Object({
  /** Opaque, new for every attempt: it tells the host nothing about the client. */
  request: id,
  attempt: Type.Integer({ minimum: 1, maximum: 100 }),
  path: Type.Union(enginePaths.map((path) => Type.Literal(path))),
  /** The variant, by the name under which the host offered it. */
  model: id,
  /** Length of the body that follows in `body` frames. */
  bodyBytes: whole(64 * 1024 * 1024),
  /** Engine bytes the host may send before credit arrives. */
  windowBytes: whole(16 * 1024 * 1024),
})
export type Ask = Static<typeof Ask>

export const Answer = Type.Object({ attempt: whole(100), status: Type.Integer({ minimum: 100, maximum: 599 }) })
export type Answer = Static<typeof Answer>

/** `frames` is how many data frames were sent: a hub that saw fewer takes the answer for cut. */
export const End = Type.Object({ attempt: whole(100), frames: whole(2 ** 32 - 1) })
export type End = Static<typeof End>

/** `class` says whose trouble it was: the engine's, this machine's, or a refusal (draining, full, unknown model). */
export const Fail = Type.Object({
  attempt: whole(100),
  class: Type.Union([Type.Literal('engine'), Type.Literal('host'), Type.Literal('refused')]),
  code: id,
  message: words(500),
})
export type Fail = Static<typeof Fail>

/** Why a side closed the WebSocket; 4000–4999 is the range RFC 6455 leaves to applications. */
export const closeCode = {
  malformed: 4400,
  badToken: 4401,
  superseded: 4409,
  flooding: 4429,
  silent: 4408,
  stopping: 4503,
  locked: 4423,
} as const

/** A frame that breaks the protocol. The link it came over is closed; no other link is touched. */
export class WireError extends Error {
  override name = 'WireError'
}

/** Parses and checks one JSON payload. @throws WireError */
export function reader<T extends TSchema>(schema: T): (payload: Uint8Array) => Static<T> {
  const check = TypeCompiler.Compile(schema)
  const text = new TextDecoder('utf-8', { fatal: true })
  return (payload) => {
    let value: unknown
    try {
      value = JSON.parse(text.decode(payload))
    } catch {
      throw new WireError('a control payload is not JSON')
    }
    if (!check.Check(value)) {
      const first = check.Errors(value).First()
      throw new WireError(`a control payload is malformed at ${first?.path || '/'}: ${first?.message ?? 'unknown'}`)
    }
    return value
  }
}

export const readFromHost = reader(FromHost)
export const readFromHub = reader(FromHub)
export const readAsk = reader(Ask)
export const readAnswer = reader(Answer)
export const readEnd = reader(End)
export const readFail = reader(Fail)
