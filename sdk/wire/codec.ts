// Frames ⇄ bytes. One WebSocket message carries one or more frames:
//   u32 stream · u8 kind · u24 length · payload    (big endian)
import { kind, type Kind, MAX_PAYLOAD_BYTES, WireError } from './frames.ts'

export const HEADER_BYTES = 8

export interface Frame {
  stream: number
  kind: Kind
  payload: Uint8Array
}

const utf8 = new TextEncoder()
const NOTHING = new Uint8Array(0)
const kinds = new Set<number>(Object.values(kind))

/** One frame as bytes. @throws RangeError when the payload is larger than a frame may be: split it first. */
export function encode(stream: number, frameKind: Kind, payload: Uint8Array = NOTHING): Uint8Array {
  const bytes = frameWith(stream, frameKind, payload.length)
  bytes.set(payload, HEADER_BYTES)
  return bytes
}

export function encodeJson(stream: number, frameKind: Kind, payload: object): Uint8Array {
  return encode(stream, frameKind, utf8.encode(JSON.stringify(payload)))
}

export function encodeCredit(stream: number, bytes: number): Uint8Array {
  const frame = frameWith(stream, kind.credit, 4)
  putU32(frame, HEADER_BYTES, bytes)
  return frame
}

export function encodeData(stream: number, sequence: number, bytes: Uint8Array): Uint8Array {
  const frame = frameWith(stream, kind.data, 4 + bytes.length)
  putU32(frame, HEADER_BYTES, sequence)
  frame.set(bytes, HEADER_BYTES + 4)
  return frame
}

/** The number a `credit` or `data` payload starts with. @throws WireError */
export function leadingU32(payload: Uint8Array): number {
  if (payload.length < 4) throw new WireError('a frame is shorter than its own number')
  return u32At(payload, 0)
}

/**
 * Calls `each` for every frame of a message, in order. Payloads are views into `message`: copy what is kept.
 * @throws WireError on an unknown kind, an oversized payload, a cut frame, or a control frame off stream 0.
 */
export function decode(message: Uint8Array, each: (frame: Frame) => void): void {
  let at = 0
  while (at < message.length) {
    if (message.length - at < HEADER_BYTES) throw new WireError('a message ends inside a frame header')
    const stream = u32At(message, at)
    const frameKind = message[at + 4]!
    const length = (message[at + 5]! << 16) | (message[at + 6]! << 8) | message[at + 7]!
    if (!kinds.has(frameKind)) throw new WireError(`unknown frame kind ${frameKind}`)
    if (length > MAX_PAYLOAD_BYTES)
      throw new WireError(`a frame of ${length} bytes; at most ${MAX_PAYLOAD_BYTES} are allowed`)
    if ((stream === 0) !== (frameKind === kind.control))
      throw new WireError('stream 0 is for control frames, and only for them')
    const end = at + HEADER_BYTES + length
    if (end > message.length) throw new WireError('a message ends inside a frame')
    each({ stream, kind: frameKind as Kind, payload: message.subarray(at + HEADER_BYTES, end) })
    at = end
  }
}

function frameWith(stream: number, frameKind: Kind, length: number): Uint8Array {
  if (length > MAX_PAYLOAD_BYTES)
    throw new RangeError(`a frame carries at most ${MAX_PAYLOAD_BYTES} bytes, not ${length}`)
  const bytes = new Uint8Array(HEADER_BYTES + length)
  putU32(bytes, 0, stream)
  putU32(bytes, 4, length)
  bytes[4] = frameKind
  return bytes
}

// Byte by byte: a DataView would make the runtime give every frame a buffer object of its own.
function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

function u32At(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}
