// Server-sent events, as OpenAI-compatible servers write them: bytes in, the payload of each `data:` event out.
// Follows the event stream grammar of the HTML standard. Only `data` matters here; comments, `event`, `id` and `retry`
// are read over. Nothing is imported: the hub reads the bytes of engines with the same parser.

const LF = 10
const CR = 13
const COLON = 58
const SPACE = 32
/** One event is at most this long, unless the caller says otherwise. */
export const MAX_EVENT_BYTES: number = 8 * 1024 * 1024

// Lines are decoded whole, so a character split over packets never reaches the decoder in halves.
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * An incremental parser: `push` bytes as they come, `data` is called with every payload, synchronously and in order.
 * What it keeps between two pushes (an unfinished event) is copied, and never more than `limitBytes`.
 * Once `push` has thrown, or `data` has, the parser is of no further use.
 *
 * @example
 * const parser = new SseParser((payload) => console.log(payload))
 * parser.push(new TextEncoder().encode('data: {"n":1}\n\ndata: [DO'))   // logs {"n":1}
 * parser.push(new TextEncoder().encode('NE]\n\n'))                      // logs [DONE]
 */
export class SseParser {
  private rest = new Uint8Array(256)
  private restBytes = 0
  private payload: string | undefined
  private payloadBytes = 0
  private skipLineFeed = false
  private first = true

  constructor(
    private readonly data: (payload: string) => void,
    private readonly limitBytes: number = MAX_EVENT_BYTES,
  ) {}

  /** @throws RangeError when one event is larger than the limit. */
  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    let at = this.skipLineFeed && bytes[0] === LF ? 1 : 0
    this.skipLineFeed = false
    // A line ends with LF, CR or both. Each is looked for once per line at most; streams without CR scan for it once.
    let lf = bytes.indexOf(LF, at)
    let cr = bytes.indexOf(CR, at)
    while (lf !== -1 || cr !== -1) {
      const byCr = cr !== -1 && (lf === -1 || cr < lf)
      const end = byCr ? cr : lf
      this.line(bytes, at, end)
      at = end + 1
      if (byCr) {
        if (at === bytes.length) this.skipLineFeed = true
        else if (bytes[at] === LF) at++
        cr = bytes.indexOf(CR, at)
      }
      if (lf !== -1 && lf < at) lf = bytes.indexOf(LF, at)
    }
    if (at < bytes.length) this.keep(bytes.subarray(at))
  }

  /** The source closed: an event whose closing blank line never came is handed over as it is. */
  end(): void {
    if (this.restBytes > 0) this.line(this.rest, 0, 0)
    this.dispatch()
  }

  private line(bytes: Uint8Array, from: number, to: number): void {
    if (this.restBytes === 0) return this.field(bytes, from, to)
    if (to > from) this.keep(bytes.subarray(from, to))
    const length = this.restBytes
    this.restBytes = 0
    this.field(this.rest, 0, length)
  }

  private field(bytes: Uint8Array, start: number, end: number): void {
    let from = start
    if (this.first) {
      this.first = false
      if (bytes[from] === 0xef && bytes[from + 1] === 0xbb && bytes[from + 2] === 0xbf && end - from >= 3) from += 3
    }
    if (from === end) return this.dispatch()
    if (!isData(bytes, from, end)) return
    from += bytes[from + 5] === SPACE && end - from > 5 ? 6 : 5
    this.payloadBytes += Math.max(0, end - from) + (this.payload === undefined ? 0 : 1)
    if (this.payloadBytes > this.limitBytes) throw tooLarge(this.limitBytes)
    const text = from < end ? utf8.decode(bytes.subarray(from, end)) : ''
    this.payload = this.payload === undefined ? text : `${this.payload}\n${text}`
  }

  private dispatch(): void {
    const payload = this.payload
    if (payload === undefined) return
    this.payload = undefined
    this.payloadBytes = 0
    this.data(payload)
  }

  private keep(bytes: Uint8Array): void {
    const length = this.restBytes + bytes.length
    if (length + this.payloadBytes > this.limitBytes) throw tooLarge(this.limitBytes)
    if (length > this.rest.length) {
      const larger = new Uint8Array(Math.max(length, Math.min(this.rest.length * 2, this.limitBytes)))
      larger.set(this.rest.subarray(0, this.restBytes))
      this.rest = larger
    }
    this.rest.set(bytes, this.restBytes)
    this.restBytes = length
  }
}

/** The field is named `data`: nothing follows the name, or a colon does. */
function isData(bytes: Uint8Array, from: number, end: number): boolean {
  if (bytes[from] !== 100 || bytes[from + 1] !== 97 || bytes[from + 2] !== 116 || bytes[from + 3] !== 97) return false
  return end - from === 4 || (end - from > 4 && bytes[from + 4] === COLON)
}

function tooLarge(limitBytes: number): RangeError {
  return new RangeError(`an event of the stream is larger than ${limitBytes} bytes`)
}
