// A streamed answer: the chunks of one response, and what its headers said.
import { errorFromChunk, GpuHubError, StreamError } from './errors.ts'
import type { Exchange } from './exchange.ts'
import { SseParser } from './stream.ts'

/** USD per million tokens, as decimal strings. */
export interface QuotedPrice {
  prompt: string
  completion: string
}

/**
 * The chunks of an answer, as they arrive. Read it once: with `for await`, or with `text()`. It ends normally only when
 * the answer is whole; a failure on the way throws a `StreamError`. Leaving the loop early stops the hub's work.
 */
export class AnswerStream<Chunk extends object> implements AsyncIterable<Chunk> {
  /** The `x-request-id` of the answer: the id of its receipt. */
  readonly requestId: string | null
  /** What this request pays, fixed when it was admitted; null from a server that does not say. */
  readonly price: QuotedPrice | null
  /** `controller.abort()` stops the answer from anywhere; the loop that reads it then throws an `AbortError`. */
  readonly controller: AbortController
  readonly #exchange: Exchange
  readonly #textOf: (chunk: Chunk) => string
  #read = false

  constructor(exchange: Exchange, textOf: (chunk: Chunk) => string) {
    this.#exchange = exchange
    this.#textOf = textOf
    this.requestId = exchange.requestId
    this.controller = exchange.controller
    const prompt = exchange.header('x-gpuhub-price-prompt')
    const completion = exchange.header('x-gpuhub-price-completion')
    this.price = prompt !== null && completion !== null ? { prompt, completion } : null
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Chunk, void, undefined> {
    if (this.#read) throw new GpuHubError('This answer has been read already: a stream can be read once.')
    this.#read = true
    let whole = false
    try {
      for await (const payload of this.#payloads()) {
        whole = payload === '[DONE]'
        if (whole) return
        yield this.#chunk(payload)
      }
      throw this.#broken('The stream ended before the answer was whole.')
    } finally {
      this.#exchange.close(!whole)
    }
  }

  /**
   * Reads the stream to its end and returns the text of the first choice.
   *
   * @example
   * const stream = await hub.chat.completions.create({ model, messages, stream: true })
   * console.log(await stream.text())
   */
  async text(): Promise<string> {
    let text = ''
    for await (const chunk of this) text += this.#textOf(chunk)
    return text
  }

  async *#payloads(): AsyncGenerator<string, void, undefined> {
    let arrived: string[] = []
    const parser = new SseParser((payload) => arrived.push(payload))
    for (;;) {
      const bytes = await this.#next()
      try {
        if (bytes) parser.push(bytes)
        else parser.end()
      } catch (cause) {
        throw this.#broken('The stream cannot be read.', cause)
      }
      yield* arrived
      if (!bytes) return
      arrived = []
    }
  }

  async #next(): Promise<Uint8Array | undefined> {
    try {
      return await this.#exchange.read()
    } catch (error) {
      if (!(error instanceof GpuHubError)) throw error
      throw this.#broken(`The stream broke off. ${error.message}`, error)
    }
  }

  #chunk(payload: string): Chunk {
    this.controller.signal.throwIfAborted()
    let chunk: unknown
    try {
      chunk = JSON.parse(payload)
    } catch (cause) {
      throw this.#broken('A chunk of the stream is not JSON.', cause)
    }
    const error = errorFromChunk(chunk, this.requestId)
    if (error) throw error
    return chunk as Chunk
  }

  #broken(message: string, cause?: unknown): StreamError {
    return new StreamError(message, { requestId: this.requestId, retryable: true, cause })
  }
}
