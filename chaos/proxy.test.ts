import { afterEach, expect, test } from 'bun:test'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { until } from '../sdk/testing.ts'
import { startWire, type Wire } from './proxy.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** What one end has seen so far. */
interface End {
  socket: Socket
  text: string
  state: 'open' | 'ended' | 'reset'
}

function watched(socket: Socket): End {
  const end: End = { socket, text: '', state: 'open' }
  socket.on('data', (bytes) => void (end.text += bytes.toString()))
  socket.on('end', () => void (end.state = 'ended'))
  socket.on('error', () => void (end.state = 'reset'))
  return end
}

/** A server, a wire to it and one connection through that. */
async function connected(): Promise<{ wire: Wire; client: End; server: End }> {
  const arrived = Promise.withResolvers<End>()
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => arrived.resolve(watched(socket)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const wire = await startWire((server.address() as { port: number }).port)
  const client = watched(connect({ port: wire.port, host: '127.0.0.1', allowHalfOpen: true }))
  closing.push(
    () => server.close(),
    () => wire.close(),
    () => client.socket.destroy(),
  )
  return { wire, client, server: await arrived.promise }
}

test('passes bytes both ways, in order, and the end of each way alone', async () => {
  const { client, server, wire } = await connected()
  const sent = Array.from({ length: 2_000 }, (_, at) => `${at},`)
  for (const text of sent) client.socket.write(text)
  server.socket.write('hello')
  await until('both arrive', () => server.text === sent.join('') && client.text === 'hello')
  client.socket.end()
  await until('the end arrives', () => server.state === 'ended')
  server.socket.end('late')
  await until('what came after it arrives', () => client.text === 'hellolate' && wire.size === 0)
})

test('a frozen way holds what is sent and tells nobody; thawed, it all arrives', async () => {
  const { wire, client, server } = await connected()
  wire.freeze('up')
  client.socket.write('one ')
  server.socket.write('down')
  await until('the other way goes on', () => client.text === 'down')
  client.socket.write('two')
  client.socket.end()
  expect([server.text, server.state]).toEqual(['', 'open'])
  wire.thaw()
  await until('all arrives', () => server.text === 'one two' && server.state === 'ended')
})

test('a cut ends both sides, in order or by reset, and another connection may follow', async () => {
  const { wire, client, server } = await connected()
  wire.cut('reset')
  await until('both are told', () => client.state === 'reset' && server.state === 'reset')
  const again = watched(connect(wire.port, '127.0.0.1'))
  await until('it is let in', () => wire.size === 1)
  wire.cut('close')
  await until('it ends in order', () => again.state === 'ended')
  wire.refuse()
  const refused = watched(connect(wire.port, '127.0.0.1'))
  await until('it is turned away', () => refused.state !== 'open')
})

test('a narrow wire carries no more than it may, a lagging one everything later', async () => {
  const { wire, client, server } = await connected()
  wire.narrow(20_000)
  const startedAt = performance.now()
  client.socket.write('x'.repeat(6_000))
  await until('it is through', () => server.text.length === 6_000)
  // The first part is on the wire at once; the rest has to wait for its turn.
  expect(performance.now() - startedAt).toBeGreaterThan(200)
  wire.narrow(null)
  wire.lag(100)
  const sentAt = performance.now()
  server.socket.write('y')
  await until('it is through', () => client.text === 'y')
  expect(performance.now() - sentAt).toBeGreaterThan(95)
})

test('who sends into a wire that carries nothing is held up, not buffered without end', async () => {
  const { wire, client } = await connected()
  wire.freeze()
  const much = 64 * 1024 * 1024
  client.socket.write(Buffer.alloc(much))
  let looks = 0
  let left = much
  await until('nothing more is taken', () => {
    looks = client.socket.writableLength === left ? looks + 1 : 0
    left = client.socket.writableLength
    return looks > 20
  })
  expect(left).toBeGreaterThan(much / 2)
})
