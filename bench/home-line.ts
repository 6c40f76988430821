// A home's line between hub and host: a TCP proxy that lets bytes through late and not faster than the line.
import type { Socket } from 'bun'

export interface Line {
  port: number
  stop(): void
}

export interface LineOptions {
  /** Where the hub listens. */
  to: number
  /** Both ways together. */
  roundTripMs: number
  /** Bits a second from the host to the hub, and back. */
  upBits: number
  downBits: number
}

/** Bytes that wait in one direction; a sender that is faster than the line is stopped there. */
const MOST_WAITING = 256 * 1024

export function startLine({ to, roundTripMs, upBits, downBits }: LineOptions): Line {
  const delayMs = roundTripMs / 2
  const server = Bun.listen<Ends>({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      async open(host) {
        const ends: Ends = { up: null, down: null }
        host.data = ends
        host.pause()
        const hub = await Bun.connect<Ends>({
          hostname: '127.0.0.1',
          port: to,
          socket: {
            data: (_, bytes) => ends.down?.take(bytes),
            drain: () => ends.up?.drained(),
            close: () => void host.end(),
          },
        })
        // The line's delay is the one that is asked for, and no other.
        hub.setNoDelay(true)
        host.setNoDelay(true)
        ends.up = new Direction(hub, host, upBits, delayMs)
        ends.down = new Direction(host, hub, downBits, delayMs)
        host.resume()
      },
      data: ({ data }, bytes) => data.up?.take(bytes),
      drain: ({ data }) => data.down?.drained(),
      close: ({ data }) => void data.up?.to.end(),
    },
  })
  return { port: server.port, stop: () => server.stop(true) }
}

interface Ends {
  up: Direction | null
  down: Direction | null
}

interface Parcel {
  bytes: Uint8Array
  arrivesAt: number
}

class Direction {
  private readonly parcels: Parcel[] = []
  private waitingBytes = 0
  /** When the line has sent what it was given. */
  private freeAt = 0
  private timer: Timer | null = null

  constructor(
    readonly to: Socket<Ends>,
    private readonly from: Socket<Ends>,
    private readonly bits: number,
    private readonly delayMs: number,
  ) {}

  take(bytes: Uint8Array): void {
    const now = performance.now()
    this.freeAt = Math.max(this.freeAt, now) + (bytes.length * 8 * 1_000) / this.bits
    this.parcels.push({ bytes: bytes.slice(), arrivesAt: this.freeAt + this.delayMs })
    this.waitingBytes += bytes.length
    if (this.waitingBytes > MOST_WAITING) this.from.pause()
    this.schedule()
  }

  /** The receiver has room again. */
  drained(): void {
    this.deliver()
  }

  private schedule(): void {
    const [next] = this.parcels
    if (!next || this.timer) return
    // A timer is late by up to a millisecond; better early by that much at most.
    this.timer = setTimeout(
      () => {
        this.timer = null
        this.deliver()
      },
      Math.max(0, Math.floor(next.arrivesAt - performance.now())),
    )
  }

  private deliver(): void {
    const now = performance.now() + 0.5
    while (this.parcels[0] && this.parcels[0].arrivesAt <= now) {
      const parcel = this.parcels[0]
      const written = Math.max(0, this.to.write(parcel.bytes))
      this.waitingBytes -= written
      if (written < parcel.bytes.length) {
        parcel.bytes = parcel.bytes.subarray(written)
        break
      }
      this.parcels.shift()
    }
    if (this.waitingBytes <= MOST_WAITING / 2) this.from.resume()
    if (this.parcels[0] && this.parcels[0].arrivesAt > now) this.schedule()
  }
}
