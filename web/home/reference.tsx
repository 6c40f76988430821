// The API reference: the OpenAPI document that the hub serves, as a page.
import type { Page, Visit } from '../route.ts'
import { Section, Title } from '../parts/heading.tsx'

interface Schema {
  type?: string | string[]
  description?: string
  properties?: Record<string, Schema>
  required?: string[]
  items?: Schema
  anyOf?: Schema[]
  enum?: unknown[]
  const?: unknown
  default?: unknown
}

interface Operation {
  summary?: string
  security?: Record<string, unknown>[]
  parameters?: { name: string; in: string; required?: boolean; schema?: Schema }[]
  requestBody?: { content?: Record<string, { schema?: Schema }> }
  responses?: Record<string, { content?: Record<string, { schema?: Schema }> }>
}

interface ApiDocument {
  paths: Record<string, Record<string, Operation>>
}

export interface Described {
  method: string
  path: string
  operation: Operation
}

/** Groups by what stands after /api/v1, in this order; what is not named follows. */
const GROUPS: [title: string, pattern: RegExp, note: string][] = [
  ['Your account', /^\/api\/v1\/(me$|me\/terms|balance|usage|receipts|keys|licences|models)/, 'with an API key'],
  ['For anybody', /^\/api\/v1\/(prices|catalog|terms)\b/, 'without a key'],
  ['Hosts', /^\/api\/v1\/hosts\b/, 'with a host token'],
  [
    'Signing in, and what is one’s own',
    /^\/api\/v1\/(sign|session|password|first|invitations|device|me)/,
    'with the session cookie, from our pages',
  ],
  ['Administration', /^\/api\/v1\/admin\b/, 'with the session cookie of an admin'],
  ['Health', /^\/(healthz|readyz)/, 'for load balancers'],
]

export async function reference({ hub }: Visit): Promise<Page> {
  const { paths } = (await hub.apiDocument()) as ApiDocument
  const all = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  )
  return { title: 'API reference', body: <ReferencePage all={all} /> }
}

export function ReferencePage({ all }: { all: Described[] }) {
  const left = new Set(all)
  const groups = GROUPS.map(([title, pattern, note]) => {
    const of = [...left].filter(({ path }) => pattern.test(path))
    for (const each of of) left.delete(each)
    return { title, note, of }
  })
  const rest = left.size > 0 ? [{ title: 'More', note: '', of: [...left] }] : []
  return (
    <>
      <Title
        note={
          <>
            Made from <a href="/openapi.json">the OpenAPI document</a>. Errors are <a href="/docs/errors">described</a>{' '}
            on their own page.
          </>
        }
      >
        API reference
      </Title>
      <Section title="Inference" note="with an API key">
        <div class="card stack">
          <p>
            <code>POST /v1/chat/completions</code>, <code>POST /v1/completions</code>, <code>GET /v1/models</code> and{' '}
            <code>GET /v1/models/ID</code> take and give what OpenAI’s do. Begin with the{' '}
            <a href="/docs/quickstart">quickstart</a>; what is more is under <a href="/docs/streaming">streaming</a> and{' '}
            <a href="/docs/limits">limits</a>.
          </p>
        </div>
      </Section>
      {[...groups, ...rest]
        .filter(({ of }) => of.length > 0)
        .map(({ title, note, of }) => (
          <Section title={title} note={note}>
            <div class="card stack">
              {of.map((each) => (
                <OneAddress {...each} />
              ))}
            </div>
          </Section>
        ))}
    </>
  )
}

function OneAddress({ method, path, operation }: Described) {
  const { summary, parameters = [], requestBody, responses = {} } = operation
  const body = requestBody?.content?.['application/json']?.schema
  const answer = responses['200']?.content?.['application/json']?.schema
  return (
    <details id={`${method.toLowerCase()}${path.replaceAll(/[^a-z0-9]+/gi, '-')}`}>
      <summary>
        <span class="tag">{method}</span> <code>{path}</code> {summary}
      </summary>
      <div class="stack reference">
        {parameters.length > 0 && (
          <Fields
            title="In the address"
            of={parameters.map(({ name, required = false, schema = {} }) => ({ name, required, schema }))}
          />
        )}
        {body && <Fields title="Body" of={fieldsOf(body)} />}
        {answer && <Fields title="Answer" of={fieldsOf(answer)} />}
        {parameters.length === 0 && !body && !answer && (
          <p class="muted small">Takes nothing, and answers with text.</p>
        )}
      </div>
    </details>
  )
}

interface Field {
  name: string
  required: boolean
  schema: Schema
}

function fieldsOf(schema: Schema): Field[] {
  const { properties, required = [] } = objectIn(schema) ?? {}
  return Object.entries(properties ?? {}).map(([name, each]) => ({
    name,
    required: required.includes(name),
    schema: each,
  }))
}

/** The object that a schema is, may be, or is a list of. */
function objectIn(schema: Schema): Schema | null {
  if (schema.properties) return schema
  if (schema.items) return objectIn(schema.items)
  for (const choice of schema.anyOf ?? []) {
    const found = objectIn(choice)
    if (found) return found
  }
  return null
}

function Fields({ title, of }: { title?: string; of: Field[] }) {
  if (of.length === 0) return null
  return (
    <div>
      {title !== undefined && <p class="muted small">{title}</p>}
      <ul>
        {of.map(({ name, required, schema }) => (
          <li>
            <code>{name}</code>{' '}
            <span class="muted small">
              {typeOf(schema)}
              {!required && ', may be left out'}
              {schema.default !== undefined && `, else ${JSON.stringify(schema.default)}`}
            </span>
            {schema.description && <span class="small"> {schema.description}</span>}
            <Fields of={fieldsOf(schema)} />
          </li>
        ))}
      </ul>
    </div>
  )
}

/** `text`, `number or null`, `list of objects`, `"day" or "model"`. */
function typeOf(schema: Schema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' or ')
  if (schema.anyOf) return [...new Set(schema.anyOf.map(typeOf))].join(' or ')
  if (schema.items) return `list of ${typeOf(schema.items)}`
  const types = Array.isArray(schema.type) ? schema.type : [schema.type ?? 'object']
  return types.map((type) => (type === 'string' ? 'text' : type)).join(' or ')
}
