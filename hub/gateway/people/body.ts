// Bodies of forms and small JSON: read with a limit and a deadline, before anybody's schema sees them.
import type { Env } from '../../../sdk/env.ts'
import { HubError } from '../../errors.ts'

const MOST_BYTES = 64 * 1_024
const DEADLINE_MS = 15_000

/** The fields of a body, as JSON or as a form writes them; undefined where there is none. @throws HubError 400, 408, 413, 415 */
export async function readFields(env: Env, request: Request): Promise<unknown> {
  const type = request.headers.get('content-type') ?? 'application/json'
  const text = await readText(env, request)
  if (text === '') return undefined
  if (/^application\/x-www-form-urlencoded\b/i.test(type)) return Object.fromEntries(new URLSearchParams(text))
  if (!/^application\/json\b/i.test(type)) {
    throw new HubError(
      'unsupported_media_type',
      'The body must be JSON or a form: send "content-type: application/json".',
    )
  }
  try {
    return JSON.parse(text)
  } catch {
    throw new HubError('invalid_json', 'The body is not valid JSON. Check quotes, commas and the encoding (UTF-8).')
  }
}

async function readText(env: Env, request: Request): Promise<string> {
  if (Number(request.headers.get('content-length') ?? 0) > MOST_BYTES) throw tooLarge()
  const late = Promise.withResolvers<never>()
  const cancel = env.timer(DEADLINE_MS, () =>
    late.reject(
      new HubError('request_body_timeout', 'The body did not arrive within 15 seconds. Send it without pauses.'),
    ),
  )
  return Promise.race([collect(request.body), late.promise]).finally(cancel)
}

async function collect(body: ReadableStream<Uint8Array> | null): Promise<string> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of body ?? []) {
    length += part.length
    if (length > MOST_BYTES) throw tooLarge()
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

function tooLarge(): HubError {
  return new HubError('request_too_large', `The body is larger than ${MOST_BYTES / 1_024} KiB.`)
}
