// Raw connections, for what no HTTP client would send: the bytes a test writes, and what comes back.
import { connect, type Socket } from 'node:net'

export interface RawConnection {
  socket: Socket
  /** What came so far, one character a byte. */
  text(): string
  write(bytes: string | Uint8Array): void
  /** Resolves when something that came matches. */
  until(pattern: RegExp): Promise<string>
  /** Resolves when the other side has closed. */
  closed: Promise<void>
  destroy(): void
}

const WAIT_MS = 30_000

export function dial(port: number): Promise<RawConnection> {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  let waiting: { pattern: RegExp; resolve: (text: string) => void; reject: (error: Error) => void }[] = []
  const closed = Promise.withResolvers<void>()
  const look = () => {
    waiting = waiting.filter(({ pattern, resolve }) => {
      if (!pattern.test(text)) return true
      resolve(text)
      return false
    })
  }
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1')
    look()
  })
  // A reset is an end, too.
  socket.on('error', () => {})
  socket.on('close', () => {
    closed.resolve()
    for (const { pattern, reject } of waiting) reject(new Error(`closed before ${pattern}: ${text.slice(0, 500)}`))
  })
  const connection: RawConnection = {
    socket,
    text: () => text,
    write: (bytes) => void socket.write(bytes),
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`waited in vain for ${pattern}: ${text.slice(0, 500)}`)),
          WAIT_MS,
        )
        const settle =
          <T>(then: (value: T) => void) =>
          (value: T) => {
            clearTimeout(timer)
            then(value)
          }
        waiting.push({ pattern, resolve: settle(resolve), reject: settle(reject) })
        look()
      }),
    closed: closed.promise,
    destroy: () => socket.destroy(),
  }
  return new Promise((resolve) => {
    socket.on('connect', () => resolve(connection))
    socket.on('close', () => resolve(connection))
  })
}

/** The status lines in an answer, in order. */
export function statusesIn(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]))
}
