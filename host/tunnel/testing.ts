// The hub's side of a link, for tests: it hears frames, says frames, and judges nothing. In memory or on a real port.
import type { Env } from '../../sdk/env.ts'
import { socketPair, type SocketPair } from '../../sdk/testing.ts'
import { decode, encode, encodeCredit, encodeJson, leadingU32 } from '../../sdk/wire/codec.ts'
import {
  type Answer,
  type Ask,
  BEAT_MS,
  type End,
  type Fail,
  type FromHost,
  type FromHub,
  type Hello,
  kind,
  readAnswer,
  readEnd,
  readFail,
  readFromHost,
  type Welcome,
  WINDOW_BYTES,
} from '../../sdk/wire/frames.ts'
import type { Socket, SocketEvents } from '../../sdk/wire/socket.ts'
import type { Dial, DialEvents } from './dial.ts'
import type { Identity } from './session.ts'

export const identity: Identity = {
  agent: '0.1.0',
  machine: 'machine_1',
  name: 'attic',
  hardware: {
    gpus: [],
    driver: null,
    cpu: 'cpu',
    cores: 1,
    memoryBytes: 1,
    os: 'os',
    arch: 'x64',
    simulated: false,
  },
}

/** What came back on one stream. */
export interface Heard {
  answer?: Answer
  text: string
  bytes: number
  sequence: number[]
  end?: End
  fail?: Fail
}

/** One link as a hub sees it. */
export class HubSide implements SocketEvents {
  readonly said: FromHost[] = []
  readonly streams = new Map<number, Heard>()
  closedWith: { code: number; reason: string } | undefined
  /** False: it says nothing to what the host announces. */
  notes = true

  constructor(
    readonly socket: Socket,
    readonly token: string,
    readonly address: string,
  ) {}

  message(bytes: Uint8Array): void {
    decode(bytes, ({ stream, kind: what, payload }) => {
      if (what === kind.control) return this.hear(readFromHost(payload))
      const heard = this.on(stream)
      if (what === kind.answer) heard.answer = readAnswer(payload)
      if (what === kind.end) heard.end = readEnd(payload)
      if (what === kind.fail) heard.fail = readFail(payload)
      if (what !== kind.data) return
      heard.sequence.push(leadingU32(payload))
      heard.text += new TextDecoder().decode(payload.subarray(4))
      heard.bytes += payload.length - 4
    })
  }

  private hear(what: FromHost): void {
    this.said.push(what)
    // As every hub does.
    if (what.type === 'status' && this.notes) this.say({ type: 'beat', epoch: what.epoch, noted: what.state })
  }

  closed(code: number, reason: string): void {
    this.closedWith = { code, reason }
  }

  /** What has come back on a stream so far. */
  on(stream: number): Heard {
    const heard = this.streams.get(stream) ?? { text: '', bytes: 0, sequence: [] }
    this.streams.set(stream, heard)
    return heard
  }

  hello(): Hello | undefined {
    return this.said.find((one) => one.type === 'hello')
  }

  beats(): Extract<FromHost, { type: 'beat' }>[] {
    return this.said.filter((one) => one.type === 'beat')
  }

  statuses(): string[] {
    return this.said.flatMap((one) => (one.type === 'status' ? [one.state] : []))
  }

  say(what: FromHub): void {
    this.socket.send(encodeJson(0, kind.control, what))
  }

  welcome(changes: Partial<Welcome> = {}): void {
    const plain = { protocol: 1, host: 'host_1', epoch: 1, hub: 'hub_1', hubs: [], beatMs: BEAT_MS }
    this.say({ type: 'welcome', ...plain, ...changes })
  }

  /** Beats as a hub that is well does. */
  beatFor(env: Env, ms: number): void {
    for (let at = 0; at <= ms; at += BEAT_MS) env.timer(at, () => this.say({ type: 'beat', epoch: 1 }))
  }

  ask(stream: number, body: unknown, changes: Partial<Ask> = {}): void {
    const bytes = new TextEncoder().encode(JSON.stringify(body))
    this.open(stream, { bodyBytes: bytes.length, ...changes })
    this.send(stream, kind.body, bytes)
  }

  open(stream: number, changes: Partial<Ask>): void {
    const ask: Ask = {
      request: `attempt_${stream}`,
      attempt: 1,
      path: '/v1/chat/completions',
      model: 'Qwen/Qwen3-8B',
      bodyBytes: 0,
      windowBytes: WINDOW_BYTES,
      ...changes,
    }
    this.socket.send(encodeJson(stream, kind.ask, ask))
  }

  send(stream: number, what: (typeof kind)[keyof typeof kind], payload?: Uint8Array): void {
    this.socket.send(encode(stream, what, payload))
  }

  credit(stream: number, bytes: number): void {
    this.socket.send(encodeCredit(stream, bytes))
  }
}

/** Hubs in memory: every dial makes a link that the test answers by hand. */
export class MemoryHubs {
  readonly links: { hub: HubSide; pair: SocketPair; at: number }[] = []
  /** False: dials fail, as they do while a hub restarts. */
  up = true

  constructor(private readonly env: Env) {}

  readonly dial: Dial = (address, token, events) => {
    const pair = socketPair(this.env)
    const hub = new HubSide(pair.right.socket, token, address)
    this.links.push({ hub, pair, at: this.env.mono() })
    if (this.up) this.env.soon(() => open(pair, hub, events))
    else this.env.soon(() => events.closed(1006, ''))
    return pair.left.socket
  }

  /** The newest link, or the newest to `address`. */
  last(address?: string): { hub: HubSide; pair: SocketPair; at: number } {
    const link = this.links.findLast(({ hub }) => address === undefined || hub.address === address)
    if (!link) throw new Error(`nobody dialled ${address ?? 'any hub'}`)
    return link
  }
}

function open(pair: SocketPair, hub: HubSide, events: DialEvents): void {
  pair.right.open(hub)
  pair.left.open(events)
  events.opened()
}

export interface RealHub {
  url: string
  links: HubSide[]
  /** The newest link. */
  last(): HubSide
  close(): Promise<void>
}

/** A hub on a real port. `greet` answers each hello; `status` other than 101 refuses the upgrade. */
export function startHub(options: { greet?: (hub: HubSide) => void; status?: number } = {}): RealHub {
  const links: HubSide[] = []
  const greet = options.greet ?? ((hub) => hub.welcome())
  const server = Bun.serve<{ token: string; hub?: HubSide }>({
    hostname: '127.0.0.1',
    port: 0,
    fetch(request, upgrading) {
      const token = request.headers.get('authorization')?.replace('Bearer ', '') ?? ''
      if (options.status) return new Response('no\n', { status: options.status })
      if (new URL(request.url).pathname === '/hosts/link' && upgrading.upgrade(request, { data: { token } })) return
      return new Response('no\n', { status: 404 })
    },
    websocket: {
      perMessageDeflate: false,
      open(ws) {
        const socket: Socket = {
          send: (message) => ws.send(message) !== 0,
          close: (code, reason) => ws.close(code, reason),
          buffered: () => ws.getBufferedAmount(),
        }
        ws.data.hub = new HubSide(socket, ws.data.token, '')
        links.push(ws.data.hub)
      },
      message(ws, message) {
        const { hub } = ws.data
        if (!hub || typeof message === 'string') throw new Error('a host sends frames')
        const known = hub.hello()
        hub.message(new Uint8Array(message))
        if (!known && hub.hello()) greet(hub)
      },
      close: (ws, code, reason) => ws.data.hub?.closed(code, reason),
    },
  })
  return {
    url: `http://127.0.0.1:${server.port}`,
    links,
    last() {
      const hub = links.at(-1)
      if (!hub) throw new Error('nobody is linked')
      return hub
    },
    close: () => server.stop(true),
  }
}
