// A wire between two programs on this machine that can lag, narrow, freeze, lose one direction and break. It passes
// bytes and knows nothing of what they mean. TCP neither loses nor reorders bytes, and so neither does this: a byte is
// late, or its connection is gone.
import { connect, createServer, type Server, type Socket } from 'node:net'

export interface Wire {
  /** Where to dial instead of the target. */
  port: number
  /** Connections open now. */
  readonly size: number
  /** One way, to every chunk from now on. */
  lag(ms: number): void
  /** Bytes per second each way and connection; null for as fast as it goes. */
  narrow(bytesPerSecond: number | null): void
  /**
   * From now on nothing arrives and nobody is told: a half-open connection, new ones included. `up` is what the dialling
   * side sends, `down` what it is sent.
   */
  freeze(way?: 'both' | 'up' | 'down'): void
  /** What was sent meanwhile arrives, in order. */
  thaw(): void
  /** Every connection ends: `close` in order, `reset` as of a process that was killed. New ones are let in. */
  cut(how: 'close' | 'reset'): void
  /** New connections are reset at once, until `admit`. */
  refuse(): void
  admit(): void
  close(): Promise<void>
}

type Way = 'up' | 'down'

/** Waiting beyond this, a side is no longer read: its sender sees a full socket, as with any slow network. */
const MOST_WAITING_BYTES = 256 * 1024

export async function startWire(target: number): Promise<Wire> {
  const conduct = { lagMs: 0, bytesPerSecond: null as number | null, frozen: new Set<Way>(), refusing: false }
  const pairs = new Set<Pair>()
  const server: Server = createServer({ allowHalfOpen: true }, (near) => {
    if (conduct.refusing) return void near.resetAndDestroy()
    const pair = new Pair(near, connect({ port: target, host: '127.0.0.1', allowHalfOpen: true }), conduct, () =>
      pairs.delete(pair),
    )
    pairs.add(pair)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the wire has no port')
  const look = () => {
    for (const pair of pairs) pair.look()
  }
  const cut = (how: 'close' | 'reset') => {
    for (const pair of [...pairs]) pair.cut(how)
  }
  return {
    port: address.port,
    get size() {
      return pairs.size
    },
    lag: (ms) => void (conduct.lagMs = ms),
    narrow(bytesPerSecond) {
      conduct.bytesPerSecond = bytesPerSecond
      look()
    },
    freeze(way = 'both') {
      for (const one of way === 'both' ? (['up', 'down'] as const) : [way]) conduct.frozen.add(one)
    },
    thaw() {
      conduct.frozen.clear()
      look()
    },
    cut,
    refuse: () => void (conduct.refusing = true),
    admit: () => void (conduct.refusing = false),
    async close() {
      cut('reset')
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

interface Conduct {
  lagMs: number
  bytesPerSecond: number | null
  frozen: ReadonlySet<Way>
}

/** The two ends of one connection, and what is on its way between them. */
class Pair {
  private readonly lanes: Lane[]
  private over = false

  constructor(
    private readonly near: Socket,
    private readonly far: Socket,
    conduct: Conduct,
    private readonly gone: () => void,
  ) {
    this.lanes = [new Lane('up', near, far, conduct), new Lane('down', far, near, conduct)]
    for (const end of [near, far]) {
      end.setNoDelay(true)
      end.on('error', () => this.cut('reset'))
      end.on('close', () => {
        if (near.destroyed && far.destroyed) this.cut('close')
      })
    }
  }

  look(): void {
    for (const lane of this.lanes) lane.pump()
  }

  cut(how: 'close' | 'reset'): void {
    if (this.over) return
    this.over = true
    for (const lane of this.lanes) lane.stop()
    for (const end of [this.near, this.far]) {
      if (how === 'reset') end.resetAndDestroy()
      else end.destroy()
    }
    this.gone()
  }
}

/** One direction. */
class Lane {
  private readonly waiting: { bytes: Buffer | null; due: number }[] = []
  private waitingBytes = 0
  private timer: ReturnType<typeof setTimeout> | null = null
  /** When the wire is free for the next byte, while it is narrow. */
  private freeAt = 0

  constructor(
    private readonly way: Way,
    private readonly from: Socket,
    private readonly to: Socket,
    private readonly conduct: Conduct,
  ) {
    from.on('data', (bytes: Buffer) => this.take(bytes))
    from.on('end', () => this.take(null))
    to.on('drain', () => this.pump())
  }

  /** null: this side has no more to say. */
  private take(bytes: Buffer | null): void {
    this.waiting.push({ bytes, due: performance.now() + this.conduct.lagMs })
    this.waitingBytes += bytes?.length ?? 0
    if (this.waitingBytes > MOST_WAITING_BYTES) this.from.pause()
    this.pump()
  }

  pump(): void {
    if (this.timer) clearTimeout(this.timer)
    this.timer = null
    while (!this.conduct.frozen.has(this.way)) {
      const [next] = this.waiting
      if (!next || this.to.writableNeedDrain) break
      const waitMs = Math.max(next.due, this.freeAt) - performance.now()
      if (waitMs > 0) {
        this.timer = setTimeout(() => this.pump(), waitMs)
        break
      }
      this.pass()
    }
    if (this.waitingBytes <= MOST_WAITING_BYTES / 2) this.from.resume()
  }

  stop(): void {
    if (this.timer) clearTimeout(this.timer)
    this.waiting.length = 0
  }

  /** The first of what waits, or as much of it as a narrow wire carries in a twentieth of a second. */
  private pass(): void {
    const next = this.waiting[0]!
    if (next.bytes === null) {
      this.waiting.shift()
      return void this.to.end()
    }
    const { bytesPerSecond } = this.conduct
    const size = bytesPerSecond === null ? next.bytes.length : Math.max(1, Math.floor(bytesPerSecond / 20))
    const part = next.bytes.subarray(0, size)
    if (bytesPerSecond !== null)
      this.freeAt = Math.max(this.freeAt, performance.now()) + (part.length * 1_000) / bytesPerSecond
    this.waitingBytes -= part.length
    if (part.length === next.bytes.length) this.waiting.shift()
    else next.bytes = next.bytes.subarray(size)
    this.to.write(part)
  }
}
