// How good this machine's line to its hub is, measured against the hub's own minimum.
import type { CatalogPage } from '../../sdk/catalog.ts'
import type { Env } from '../../sdk/env.ts'
import { mostTransferBytes } from '../../sdk/network.ts'
import { HostError, printable, reason } from '../errors.ts'
import type { Check } from '../fit.ts'
import { refusalOf } from './ask.ts'
import { type Member, memberHeaders } from './member.ts'

export interface Line {
  downMbits: number
  upMbits: number
  /** Median, milliseconds. */
  roundTripMs: number
  /** Mean difference from one round trip to the next, milliseconds. */
  jitterMs: number
}

export interface Measuring extends Member {
  progress: (what: string) => void
  /** Told of the bytes that it took. */
  count?: (bytes: number) => void
}

const ECHOES = 15
/** Small enough for a slow line, and then as much as takes about this long. */
const FIRST_BYTES = 256 * 1024
const ABOUT_MS = 3_000
const MOST_MS = 25_000

/** A few echoes and at most two transfers each way. @throws HostError when the hub cannot be measured against */
export async function measureLine(measuring: Measuring): Promise<Line> {
  measuring.progress('measuring the round trip to the hub')
  const trips: number[] = []
  // The first opens the connection.
  for (let echo = 0; echo <= ECHOES; echo++) {
    const { ms } = await timed(measuring, '/echo', undefined)
    if (echo > 0) trips.push(ms)
  }
  const roundTripMs = median(trips)
  const steps = trips.slice(1).map((ms, at) => Math.abs(ms - (trips[at] ?? ms)))
  measuring.progress('measuring the download')
  const downMbits = await rate((length) => timed(measuring, `/bytes?length=${length}`, undefined), roundTripMs)
  measuring.progress('measuring the upload')
  const upMbits = await rate((length) => timed(measuring, '/bytes', madeUp(measuring.env, length)), roundTripMs)
  return {
    downMbits: rounded(downMbits),
    upMbits: rounded(upMbits),
    roundTripMs: rounded(roundTripMs),
    jitterMs: rounded(steps.reduce((sum, step) => sum + step, 0) / Math.max(1, steps.length)),
  }
}

/** What the hub asks of a line, and whether this one has it. */
export function checkLine(line: Line, least: CatalogPage['network']): Check[] {
  const check = (what: 'download' | 'upload' | 'round trip', ok: boolean, words: [string, string, string]): Check => {
    const [actual, required, why] = words
    const remedy = ok
      ? null
      : 'Use a cable instead of Wi-Fi, end other downloads, or ask your provider for a faster line.'
    return { what, ok, actual, required, why, remedy }
  }
  const { downMbits, upMbits, roundTripMs, jitterMs } = line
  return [
    check('download', downMbits >= least.downMbits, [
      `${downMbits} Mbit/s`,
      `${least.downMbits} Mbit/s`,
      'Weights are many gigabytes.',
    ]),
    check('upload', upMbits >= least.upMbits, [
      `${upMbits} Mbit/s`,
      `${least.upMbits} Mbit/s`,
      'Answers go up, token by token.',
    ]),
    check('round trip', roundTripMs <= least.roundTripMs, [
      `${roundTripMs} ms (± ${jitterMs})`,
      `${least.roundTripMs} ms or less`,
      'Clients wait for it before the first word.',
    ]),
  ]
}

/** Mbit/s, without the time the request itself takes. */
async function rate(transfer: (length: number) => Promise<{ ms: number }>, roundTripMs: number): Promise<number> {
  const mbits = (length: number, ms: number) => (length * 8) / 1_000 / Math.max(1, ms - roundTripMs)
  const first = await transfer(FIRST_BYTES)
  const length = Math.min(mostTransferBytes, Math.floor((FIRST_BYTES * ABOUT_MS) / Math.max(1, first.ms)))
  if (length <= FIRST_BYTES) return mbits(FIRST_BYTES, first.ms)
  return mbits(length, (await transfer(length)).ms)
}

async function timed(
  measuring: Measuring,
  path: string,
  body: Uint8Array<ArrayBuffer> | undefined,
): Promise<{ ms: number }> {
  const { env, hub } = measuring
  const late = new AbortController()
  const cancel = env.timer(MOST_MS, () => late.abort(new Error('it takes too long')))
  try {
    const began = env.mono()
    const response = await fetch(`${hub}/api/v1/hosts/network${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        ...memberHeaders(measuring),
        ...(body === undefined ? {} : { 'content-type': 'application/octet-stream' }),
      },
      body,
      redirect: 'error',
      timeout: false,
      signal: late.signal,
    })
    const answer = await response.bytes()
    measuring.count?.(answer.length + (body?.length ?? 0))
    if (!response.ok)
      throw new HostError(refusalOf(parsed(answer)) ?? `The hub answers ${response.status} to a test of the network.`)
    return { ms: env.mono() - began }
  } catch (error) {
    if (error instanceof HostError) throw error
    throw new HostError(
      `The line to ${hub} cannot be measured: ${printable(reason(error))}. Check the network, then try again.`,
    )
  } finally {
    cancel()
  }
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return undefined
  }
}

/** Nothing that could be squeezed on the way. */
export function madeUp(env: Env, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length)
  const piece = env.random(64 * 1024)
  for (let at = 0; at < length; at += piece.length) bytes.set(piece.subarray(0, length - at), at)
  return bytes
}

const rounded = (value: number) => Math.round(value * 10) / 10
const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
