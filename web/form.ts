// What a form sent: read with a limit, and kept as it was typed, so that a page can show it again beside what is wrong.
import { HubError } from '../hub/errors.ts'

const MOST_BYTES = 64 * 1024

export class Form {
  constructor(private readonly given = new URLSearchParams()) {}

  /** One field, as typed; empty when it was not sent. A NUL, which nobody types, is left out: PostgreSQL takes none. */
  text(name: string): string {
    return withoutNul(this.given.get(name) ?? '')
  }

  /** Every value of a field that may be sent several times. */
  all(name: string): string[] {
    return this.given.getAll(name).map(withoutNul)
  }

  has(name: string): boolean {
    return this.given.has(name)
  }
}

function withoutNul(text: string): string {
  return text.replaceAll('\u0000', '')
}

/** @throws HubError `invalid_request` for what is no form, or too long a one */
export async function readForm(request: Request): Promise<Form> {
  if (request.method !== 'POST') return new Form()
  const type = request.headers.get('content-type') ?? ''
  if (!type.startsWith('application/x-www-form-urlencoded'))
    throw new HubError('invalid_request', 'This address takes a form. Use the page.')
  const reader = request.body?.getReader()
  const chunks: Uint8Array[] = []
  let size = 0
  for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
    size += read.value.length
    if (size > MOST_BYTES) {
      await reader?.cancel()
      throw new HubError('invalid_request', 'That is more than a form here can hold. Shorten it.')
    }
    chunks.push(read.value)
  }
  return new Form(new URLSearchParams(Buffer.concat(chunks).toString('utf8')))
}

/** What is wrong with a field, by its name; `''`: with the whole. */
export type Faults = Record<string, string>

/**
 * A refusal as what is wrong with a form; `status` is what its page is answered with. `fields` are those of the form:
 * what names another is said of the whole. @throws what is no refusal
 */
export function faultOf(error: unknown, fields: readonly string[] = []): { faults: Faults; status: number } {
  if (!(error instanceof HubError) || error.status >= 500) throw error
  const field = error.param !== null && fields.includes(error.param) ? error.param : ''
  return { faults: { [field]: error.message }, status: error.status }
}
