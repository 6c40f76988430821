// Bodies of forms and small JSON: read with a limit and a deadline, before anybody's schema sees them.
import { HubError } from '../../errors.ts'
import { type Bodies, jsonIn } from '../body.ts'

const MOST_BYTES = 64 * 1_024

/** The fields of a body, as JSON or as a form writes them; undefined where there is none. @throws HubError 400, 408, 413, 415 */
export async function readFields(bodies: Bodies, request: Request): Promise<unknown> {
  const type = request.headers.get('content-type') ?? 'application/json'
  const body = await bodies.read(request, MOST_BYTES)
  if (body.length === 0) return undefined
  if (/^application\/x-www-form-urlencoded\b/i.test(type))
    return writable(Object.fromEntries(new URLSearchParams(Buffer.from(body).toString('utf8'))))
  if (!/^application\/json\b/i.test(type)) {
    throw new HubError(
      'unsupported_media_type',
      'The body must be JSON or a form: send "content-type: application/json".',
    )
  }
  return writable(jsonIn(body))
}

/** Not every database keeps NUL in a text, and nobody means it. As deep as `jsonIn` lets it be. */
function writable(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('\u0000', '')
  if (Array.isArray(value)) return value.map(writable)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, writable(field)]))
}
