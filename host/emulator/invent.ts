// Values that fit a JSON schema: what the emulated model fills into tool calls and structured answers.
import { isRecord } from './order.ts'

/** Numbers the choices are made from: a pure function of a salt. */
export type Draw = (salt: number) => number

const NAMES = ['alpha', 'berlin', 'carbon', 'delta', 'ember', 'forest', 'garden', 'harbor', 'island', 'jasmine']
const MAX_DEPTH = 12

/** A value that fits `schema`, for the common keywords; `{}` where the schema says nothing. */
export function invent(schema: unknown, draw: Draw, root: unknown = schema, depth = 0): unknown {
  if (schema === undefined || schema === true) return 'alpha'
  if (!isRecord(schema) || depth > MAX_DEPTH) return null
  if ('const' in schema) return schema.const
  if (Array.isArray(schema.enum)) return schema.enum[draw(depth + 11) % schema.enum.length]
  if (typeof schema.$ref === 'string') return invent(resolve(root, schema.$ref), draw, root, depth + 1)
  const among = schema.anyOf ?? schema.oneOf ?? schema.allOf
  if (Array.isArray(among)) return invent(among[0], draw, root, depth + 1)
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type
  if (type === 'object' || isRecord(schema.properties)) return inventObject(schema, draw, root, depth)
  if (type === 'array') return inventList(schema, draw, root, depth)
  if (type === 'string') return inventText(schema, draw(depth + 13))
  if (type === 'integer' || type === 'number') return inventNumber(schema, draw(depth + 17))
  if (type === 'boolean') return draw(depth + 19) % 2 === 0
  return null
}

function inventObject(schema: Record<string, unknown>, draw: Draw, root: unknown, depth: number): unknown {
  const properties = isRecord(schema.properties) ? schema.properties : {}
  return Object.fromEntries(
    Object.entries(properties).map(([name, property], index) => [
      name,
      invent(property, (salt) => draw(salt + 97 * (index + 1)), root, depth + 1),
    ]),
  )
}

function inventList(schema: Record<string, unknown>, draw: Draw, root: unknown, depth: number): unknown {
  const least = typeof schema.minItems === 'number' ? schema.minItems : 1
  return Array.from({ length: least }, (_, index) =>
    invent(schema.items, (salt) => draw(salt + 31 * (index + 1)), root, depth + 1),
  )
}

function inventText(schema: Record<string, unknown>, draw: number): string {
  if (schema.format === 'date') return '2026-11-23'
  if (schema.format === 'date-time') return '2026-11-23T12:00:00Z'
  const least = typeof schema.minLength === 'number' ? schema.minLength : 1
  const most = typeof schema.maxLength === 'number' ? schema.maxLength : Number.POSITIVE_INFINITY
  return NAMES[draw % NAMES.length]!.padEnd(least, 'a').slice(0, most)
}

function inventNumber(schema: Record<string, unknown>, draw: number): number {
  const least = typeof schema.minimum === 'number' ? Math.ceil(schema.minimum) : 1
  const most = typeof schema.maximum === 'number' ? Math.floor(schema.maximum) : least + 40
  return least + (draw % Math.max(1, most - least + 1))
}

function resolve(root: unknown, ref: string): unknown {
  let at = root
  for (const key of ref.replace(/^#\/?/, '').split('/').filter(Boolean)) at = isRecord(at) ? at[key] : undefined
  return at
}
