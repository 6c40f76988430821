// A whole hub on a port of this machine, for what the agent asks over HTTP.
import { startHub, type TestHub, type World } from '../../hub/testing.ts'
import type { Visitor } from '../../hub/tunnel/door.ts'

export interface ServedHub {
  world: TestHub
  /** `http://127.0.0.1:PORT` */
  url: string
  [Symbol.asyncDispose](): Promise<void>
}

export async function serveHub(options: World = {}): Promise<ServedHub> {
  const world = await startHub(options)
  const { hub } = world
  const server = Bun.serve<Visitor>({
    port: 0,
    hostname: '127.0.0.1',
    development: false,
    fetch: (request, server) => hub.fetch(request, server),
    websocket: hub.websocket,
  })
  return {
    world,
    url: server.url.origin,
    async [Symbol.asyncDispose]() {
      await server.stop(true)
      await world[Symbol.asyncDispose]()
    },
  }
}
