// For programs on this machine that are to be found where they were.
import { createServer } from 'node:net'

/**
 * A port of 127.0.0.1 that nobody has, for a program that is to come back at the same address. It is below those that the
 * system gives to connections and to whoever asks for any, so it stays free until then.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    if (await isFree(port)) return port
  }
  throw new Error('no port is free')
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.on('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
