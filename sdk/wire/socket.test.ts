import { describe, expect, test } from 'bun:test'
import { virtualEnv } from '../testing.ts'
import { Outbox, type Socket } from './socket.ts'

function world(limitBytes = 1_000_000) {
  const env = virtualEnv()
  const sent: number[][] = []
  let takes = true
  let behind = 0
  const socket: Socket = {
    send: (message) => {
      if (takes) sent.push([...message])
      return takes
    },
    close: () => {},
    buffered: () => behind,
  }
  const broken: string[] = []
  const outbox = new Outbox(env, socket, limitBytes, (why) => void broken.push(why))
  return {
    env,
    outbox,
    sent,
    broken,
    refuseAll: () => (takes = false),
    fallBehind: (bytes: number) => (behind = bytes),
  }
}

describe('an outbox', () => {
  test('sends the small frames of one turn as one message, in order', async () => {
    const { env, outbox, sent } = world()
    for (const byte of [1, 2, 3]) outbox.send(new Uint8Array([byte]))
    expect(sent).toEqual([])
    await env.flush()
    outbox.send(new Uint8Array([4]))
    await env.flush()
    expect(sent).toEqual([[1, 2, 3], [4]])
  })

  test('sends a large frame alone, between the small ones around it', async () => {
    const { env, outbox, sent } = world()
    outbox.send(new Uint8Array([1]))
    outbox.send(new Uint8Array(5_000).fill(2))
    outbox.send(new Uint8Array([3]))
    await env.flush()
    expect(sent.map((message) => [message.length, message[0]])).toEqual([
      [1, 1],
      [5_000, 2],
      [1, 3],
    ])
  })

  test('never joins more than one message may hold', async () => {
    const { env, outbox, sent } = world()
    for (let at = 0; at < 100; at++) outbox.send(new Uint8Array(4_000))
    await env.flush()
    expect(sent.length).toBe(2)
    expect(Math.max(...sent.map(({ length }) => length))).toBeLessThanOrEqual(256 * 1024)
    expect(sent.reduce((sum, { length }) => sum + length, 0)).toBe(400_000)
  })

  test('is broken, once, when the socket loses a message', async () => {
    const { env, outbox, broken, refuseAll } = world()
    refuseAll()
    outbox.send(new Uint8Array(10))
    await env.flush()
    outbox.send(new Uint8Array(10))
    await env.flush()
    expect(broken).toEqual(['the socket lost a message'])
  })

  test('is broken when the other end does not read, counting what the socket still holds', async () => {
    const { env, outbox, broken, fallBehind } = world(1_000)
    outbox.send(new Uint8Array(600))
    await env.flush()
    expect(broken).toEqual([])
    fallBehind(600)
    outbox.send(new Uint8Array(400))
    expect(outbox.backlog()).toBe(1_000)
    outbox.send(new Uint8Array(1))
    expect(broken).toEqual(['the other end does not read'])
  })

  test('says nothing more once stopped', async () => {
    const { env, outbox, sent } = world()
    outbox.send(new Uint8Array([1]))
    outbox.stop()
    outbox.send(new Uint8Array([2]))
    await env.flush()
    expect(sent).toEqual([])
  })
})
