import { describe, expect, test } from 'bun:test'
import { decode, encode, encodeCredit, encodeData, encodeJson, type Frame, HEADER_BYTES, leadingU32 } from './codec.ts'
import { kind, MAX_PAYLOAD_BYTES, WireError } from './frames.ts'

function framesOf(message: Uint8Array): Frame[] {
  const frames: Frame[] = []
  decode(message, (frame) => void frames.push(frame))
  return frames
}
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const join = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts))

describe('frames as bytes', () => {
  test.each(Object.entries(kind))('a %s frame comes back as it went', (_, what) => {
    const stream = what === kind.control ? 0 : 2 ** 32 - 1
    const payload = new TextEncoder().encode('größer')
    const [frame, ...rest] = framesOf(encode(stream, what, payload))
    expect(rest).toEqual([])
    expect(frame).toEqual({ stream, kind: what, payload })
  })

  test('a message holds many frames, in order, with empty and full payloads', () => {
    const full = new Uint8Array(MAX_PAYLOAD_BYTES).fill(7)
    const message = join(
      encodeJson(0, kind.control, { type: 'beat' }),
      encode(1, kind.cancel),
      encode(2, kind.body, full),
      encodeCredit(3, 65_536),
    )
    const frames = framesOf(message)
    expect(frames.map(({ stream, payload }) => [stream, payload.length])).toEqual([
      [0, 15],
      [1, 0],
      [2, MAX_PAYLOAD_BYTES],
      [3, 4],
    ])
    expect(frames[2]!.payload).toEqual(full)
    expect(leadingU32(frames[3]!.payload)).toBe(65_536)
  })

  test('data carries its sequence number before the engine bytes', () => {
    const [frame] = framesOf(encodeData(9, 2 ** 32 - 2, new TextEncoder().encode('token')))
    expect(leadingU32(frame!.payload)).toBe(2 ** 32 - 2)
    expect(text(frame!.payload.subarray(4))).toBe('token')
  })

  test('a payload too large for one frame is a mistake of the sender', () => {
    expect(() => encode(1, kind.body, new Uint8Array(MAX_PAYLOAD_BYTES + 1))).toThrow(RangeError)
    expect(() => encodeData(1, 0, new Uint8Array(MAX_PAYLOAD_BYTES - 3))).toThrow(RangeError)
  })

  const header = (stream: number, what: number, length: number) => {
    const bytes = new Uint8Array(HEADER_BYTES)
    new DataView(bytes.buffer).setUint32(0, stream)
    new DataView(bytes.buffer).setUint32(4, length)
    bytes[4] = what
    return bytes
  }
  test.each([
    ['ends inside a header', encode(1, kind.cancel).subarray(0, 7)],
    ['ends inside a payload', encode(1, kind.body, new Uint8Array(9)).subarray(0, 16)],
    ['has bytes after its last frame', join(encode(1, kind.cancel), new Uint8Array(3))],
    ['holds an unknown kind', header(1, 200, 0)],
    ['holds kind zero', header(1, 0, 0)],
    ['announces more than a frame may carry', header(1, kind.body, MAX_PAYLOAD_BYTES + 1)],
    ['puts a control frame on a stream', encode(1, kind.control)],
    ['puts a stream frame on stream 0', encode(0, kind.cancel)],
  ])('a message that %s breaks the protocol', (_, message) => {
    expect(() => framesOf(message)).toThrow(WireError)
  })

  test('a number cut short breaks the protocol', () => {
    expect(() => leadingU32(new Uint8Array(3))).toThrow(WireError)
  })

  test('random bytes are refused or understood, and never anything else', () => {
    let state = 42
    const next = () => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) >>> 16
    for (let round = 0; round < 2_000; round++) {
      const message = Uint8Array.from({ length: next() % 64 }, () => next() & 255)
      try {
        framesOf(message)
      } catch (error) {
        expect(error).toBeInstanceOf(WireError)
      }
    }
  })
})
