import { afterEach, describe, expect, test } from 'bun:test'
import { until } from '../../sdk/testing.ts'
import { closeCode } from '../../sdk/wire/frames.ts'
import { dialWith } from './dial.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

/** A server that notes what it gets; `hello` is sent to whoever opens a socket. */
function server(hello?: string) {
  const got = {
    bytes: 0,
    closed: '',
    token: '' as string | null,
    proof: '' as string | null,
    extensions: '' as string | null,
  }
  const running = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch(request, upgrading) {
      got.token = request.headers.get('authorization')
      got.proof = request.headers.get('x-gpuhost-proof')
      got.extensions = request.headers.get('sec-websocket-extensions')
      return upgrading.upgrade(request) ? undefined : new Response('no', { status: 400 })
    },
    websocket: {
      open: (ws) => void (hello && ws.send(hello)),
      message: (_, message) => void (got.bytes += message.length),
      close: (_, code, reason) => void (got.closed = `${code} ${reason}`),
    },
  })
  closing.push(() => running.stop(true))
  return { got, address: `ws://127.0.0.1:${running.port}/hosts/link` }
}

function dialled(address: string) {
  const seen: string[] = []
  const socket = dialWith(() => 'a-proof')(address, 'a-token', {
    opened: () => void seen.push('opened'),
    message: (bytes) => void seen.push(`message ${bytes.length}`),
    closed: (code) => void seen.push(`closed ${code}`),
  })
  return { socket, seen }
}

describe('a dial', () => {
  test('carries the token, asks for no compression, and sends all before a close', async () => {
    const { got, address } = server()
    const { socket, seen } = dialled(address)
    await until('it is open', () => seen.includes('opened'))
    expect(got).toMatchObject({ token: 'Bearer a-token', proof: 'a-proof', extensions: null })
    for (let at = 0; at < 40; at++) expect(socket.send(new Uint8Array(200_000))).toBe(true)
    expect(socket.buffered()).toBeGreaterThan(0)
    socket.close(closeCode.stopping, 'bye')
    expect(socket.send(new Uint8Array(1))).toBe(false)
    await until('the other end saw it', () => got.closed === `${closeCode.stopping} bye`)
    expect(got.bytes).toBe(8_000_000)
    await until('so did this one', () => seen.length === 2)
    expect(seen).toEqual(['opened', `closed ${closeCode.stopping}`])
  })

  test('to a hub that sends text is closed as malformed', async () => {
    const { got, address } = server('hello')
    const { seen } = dialled(address)
    await until('it is closed', () => got.closed !== '')
    expect(got.closed).toStartWith(`${closeCode.malformed} `)
    expect(seen).toEqual(['opened', `closed ${closeCode.malformed}`])
  })

  test('to nobody is closed, once', async () => {
    const nobody = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
    const address = `ws://127.0.0.1:${nobody.port}/hosts/link`
    nobody.stop(true)
    const { seen, socket } = dialled(address)
    await until('it is closed', () => seen.length > 0)
    expect(seen).toEqual(['closed 1006'])
    expect(socket.send(new Uint8Array(1))).toBe(false)
  })
})
