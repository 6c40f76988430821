// A client's body, from untrusted bytes to a checked value. Each limit is tested before the work it bounds.
import type { TSchema, Static } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import type { ValueError } from '@sinclair/typebox/errors'
import type { Cancel, Env } from '../../sdk/env.ts'
import { limits } from '../../sdk/openai.ts'
import { HubError } from '../errors.ts'
import { Cancelled } from './attempts.ts'

/** How often a body is looked at while it comes: it has to keep moving, and to be there after the last look. */
const LOOK_MS = 3_000
const LOOKS = 5
const LEAST_BYTES_PER_SECOND = 1_024
/** A body that says it is no longer than this is gathered by the runtime, for a fraction of what a stream costs. */
const SMALL_BYTES = 14 * 1024
/** Of all bodies that are being read. */
const MOST_READING_BYTES = 512 * 1024 * 1024

interface Arrival {
  bytes: number
  mostBytes: number
  over: boolean
}

export class Bodies {
  private reading = 0

  constructor(private readonly env: Env) {}

  /** The whole body of a request for an answer. @throws HubError as `read`, and 415 */
  readJson(request: Request): Promise<Uint8Array> {
    assertPlainJson(request.headers)
    return this.read(request, limits.bodyBytes)
  }

  /** The whole body. @throws HubError 413, 408 or 503; Cancelled */
  async read(request: Request, mostBytes: number): Promise<Uint8Array> {
    const length = Number(request.headers.get('content-length') ?? Number.NaN)
    if (length > mostBytes) throw tooLarge(mostBytes)
    const small = length <= SMALL_BYTES
    if (!small && !request.body) return new Uint8Array(0)
    const arrival: Arrival = { bytes: 0, mostBytes, over: false }
    const late = small ? this.lateAfter(length) : this.lateness(arrival)
    try {
      const body = small ? this.gather(request, length, arrival) : this.collect(request.body!, arrival)
      return await Promise.race([body, late.promise])
    } catch (error) {
      // What the runtime throws when a client hangs up in the middle of its body.
      if (request.signal.aborted) throw new Cancelled()
      throw error
    } finally {
      late.cancel()
      arrival.over = true
      this.reading -= arrival.bytes
    }
  }

  private gather(request: Request, length: number, arrival: Arrival): Promise<Uint8Array> {
    arrival.bytes = length
    this.reading += length
    if (this.reading > MOST_READING_BYTES) throw tooMuch()
    return request.bytes()
  }

  private async collect(body: ReadableStream<Uint8Array>, arrival: Arrival): Promise<Uint8Array> {
    const parts: Uint8Array[] = []
    for await (const part of body) {
      if (arrival.over) break
      arrival.bytes += part.length
      this.reading += part.length
      if (arrival.bytes > arrival.mostBytes) throw tooLarge(arrival.mostBytes)
      if (this.reading > MOST_READING_BYTES) throw tooMuch()
      parts.push(part)
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
  }

  /** Rejects when a body of this length must have been there, had it come as slowly as one may. */
  private lateAfter(length: number): { promise: Promise<never>; cancel: Cancel } {
    const { promise, reject } = Promise.withResolvers<never>()
    const looks = 1 + Math.floor((length * 1_000) / (LEAST_BYTES_PER_SECOND * LOOK_MS))
    const cancel = this.env.timer(looks * LOOK_MS, () => reject(tooLate('came with less than 1 KB a second')))
    return { promise, cancel }
  }

  /** Rejects when the body comes too slowly, or takes too long. */
  private lateness(arrival: Arrival): { promise: Promise<never>; cancel: Cancel } {
    const { promise, reject } = Promise.withResolvers<never>()
    let looks = 0
    let before = 0
    let cancel: Cancel
    const lookLater = () => {
      cancel = this.env.timer(LOOK_MS, () => {
        const moved = arrival.bytes - before
        before = arrival.bytes
        if (++looks === LOOKS) reject(tooLate(`did not arrive within ${(LOOKS * LOOK_MS) / 1_000} seconds`))
        else if (moved < (LEAST_BYTES_PER_SECOND * LOOK_MS) / 1_000)
          reject(tooLate('came with less than 1 KB a second'))
        else lookLater()
      })
    }
    lookLater()
    return { promise, cancel: () => cancel() }
  }
}

/** Parses and checks. The first field at fault is named as OpenAI names it. @throws HubError 400 */
export function parser<T extends TSchema>(schema: T): (bytes: Uint8Array) => Static<T> {
  const compiled = TypeCompiler.Compile(schema)
  return (bytes) => {
    const value = jsonIn(bytes)
    if (compiled.Check(value)) return value
    throw invalid(blame(compiled.Errors(value)))
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** @throws HubError 400 */
export function jsonIn(bytes: Uint8Array): unknown {
  assertShallow(bytes)
  try {
    return JSON.parse(utf8.decode(bytes))
  } catch {
    throw new HubError('invalid_json', 'The body is not valid JSON. Check quotes, commas and the encoding (UTF-8).')
  }
}

function assertPlainJson(headers: Headers): void {
  const type = headers.get('content-type') ?? 'application/json'
  if (!/^application\/(.*\+)?json\b/i.test(type)) {
    throw new HubError('unsupported_media_type', 'The body must be JSON: send "content-type: application/json".')
  }
  const encoding = headers.get('content-encoding')
  if (encoding && encoding !== 'identity') {
    throw new HubError(
      'unsupported_media_type',
      'Compressed bodies are not read: send the JSON as it is, without content-encoding.',
    )
  }
}

function tooLate(how: string): HubError {
  return new HubError('request_body_timeout', `The body ${how}. Send it without pauses.`)
}

function tooLarge(mostBytes: number): HubError {
  return new HubError(
    'request_too_large',
    `The body is larger than ${(mostBytes / 1024).toLocaleString('en')} KiB. Send less.`,
  )
}

function tooMuch(): HubError {
  return new HubError(
    'no_capacity',
    'The hub is reading as much as it can. Nothing was billed. Try again in a few seconds.',
  )
}

const QUOTE = 34
const BACKSLASH = 92
const COMMA = 44

/** Counts brackets and commas outside strings, without building anything: a hostile body is refused before it is parsed. */
function assertShallow(bytes: Uint8Array): void {
  let depth = 0
  let nodes = 0
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!
    if (byte === QUOTE) at = endOfString(bytes, at + 1)
    else if (byte === 0x7b || byte === 0x5b) {
      nodes++
      if (++depth > limits.depth)
        throw new HubError('schema_too_deep', `The body is nested more than ${limits.depth} levels deep.`)
    } else if (byte === 0x7d || byte === 0x5d) depth--
    else if (byte === COMMA && ++nodes > limits.nodes) {
      throw new HubError('schema_too_deep', `The body has more than ${limits.nodes.toLocaleString('en')} values.`)
    }
  }
}

function endOfString(bytes: Uint8Array, from: number): number {
  let end = bytes.indexOf(QUOTE, from)
  while (end !== -1) {
    let slashes = 0
    while (bytes[end - 1 - slashes] === BACKSLASH) slashes++
    if (slashes % 2 === 0) return end
    end = bytes.indexOf(QUOTE, end + 1)
  }
  return bytes.length
}

const MOST_ERRORS = 50

interface Fault {
  path: string
  reason: string
  /** What would have been right, where that is a short list. */
  values: string[]
}

/** The fault a person meant. In a union it is the one of the branch that fits best, unless none fits at all. */
function blame(errors: Iterable<ValueError>): Fault | null {
  const [error] = errors
  if (!error) return null
  const own = { path: error.path, reason: lower(error.message), values: constants(error.schema) }
  const branches = error.errors
    .filter((_, at) => error.schema.anyOf?.[at]?.type !== 'null')
    .map((branch) => take(branch, MOST_ERRORS))
    .sort((a, b) => a.length - b.length)
  const faults = branches.flatMap((branch) => blame(branch) ?? [])
  const [closest, ...others] = faults
  if (!closest) return own
  if (others.length === 0) return closest
  const values = [...new Set(faults.filter((fault) => fault.path === closest.path).flatMap((fault) => fault.values))]
  if (closest.path !== error.path) return { ...closest, values }
  return { ...own, values: values.length > 0 ? values : own.values, reason: forms(error.schema) }
}

function invalid(fault: Fault | null): HubError {
  const param = (fault?.path ?? '').slice(1).replaceAll('/', '.')
  const reason = fault?.values.length
    ? `it takes one of ${fault.values.join(', ')}`
    : (fault?.reason ?? 'it has another form')
  return new HubError('invalid_request', `'${param || 'body'}' is not valid: ${reason}.`, { param: param || undefined })
}

function constants(schema: TSchema): string[] {
  return schema.const === undefined ? [] : [JSON.stringify(schema.const)]
}

function forms(schema: TSchema): string {
  const names = ((schema.anyOf ?? []) as TSchema[]).flatMap((branch) => branch.type ?? [])
  return names.length > 0 ? `expected ${[...new Set(names)].join(' or ')}` : 'it has none of the documented forms'
}

function take<T>(items: Iterable<T>, most: number): T[] {
  const taken: T[] = []
  for (const item of items) if (taken.push(item) === most) break
  return taken
}

function lower(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}
