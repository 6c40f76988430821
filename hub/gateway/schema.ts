// JSON schemas a client sends, in tools and response formats. Engines build grammars from them, and some have crashed
// over one bad pattern: what is not sound, or too much, never reaches them.
import { limits } from '../../sdk/openai.ts'
import { HubError } from '../errors.ts'

const TYPES = new Set(['string', 'number', 'integer', 'boolean', 'object', 'array', 'null'])

/** Keywords that hold one schema, a list of them, or a map of them. Everything else is data. */
const ONE = [
  'items',
  'additionalProperties',
  'additionalItems',
  'not',
  'if',
  'then',
  'else',
  'contains',
  'propertyNames',
]
const LIST = ['allOf', 'anyOf', 'oneOf', 'prefixItems', 'items']
const MAP = ['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas']

/** `param`: where it stands in the request. @throws HubError 400 */
export function assertSound(schema: unknown, param: string): void {
  if (JSON.stringify(schema).length > limits.schemaChars)
    throw refusal(param, `it has more than ${limits.schemaChars / 1024} KB. Make it smaller`)
  walk(schema, param)
}

function walk(schema: unknown, param: string): void {
  if (typeof schema === 'boolean' || schema === undefined) return
  if (!isMap(schema)) throw refusal(param, 'a JSON schema is an object')
  const { type, pattern } = schema
  const types = Array.isArray(type) ? type : type === undefined ? [] : [type]
  if (!types.every((each) => typeof each === 'string' && TYPES.has(each)))
    throw refusal(`${param}.type`, `it takes ${[...TYPES].join(', ')}`)
  if (pattern !== undefined) assertPattern(pattern, `${param}.pattern`)
  for (const name of ONE) if (!Array.isArray(schema[name])) walk(schema[name], `${param}.${name}`)
  for (const name of LIST) {
    const list = schema[name]
    if (Array.isArray(list)) for (const [at, each] of list.entries()) walk(each, `${param}.${name}.${at}`)
  }
  for (const name of MAP) {
    const map = schema[name]
    if (!isMap(map)) continue
    for (const [key, each] of Object.entries(map)) {
      if (name === 'patternProperties') assertPattern(key, `${param}.${name}`)
      walk(each, `${param}.${name}.${key.slice(0, 40)}`)
    }
  }
}

function assertPattern(pattern: unknown, param: string): void {
  if (typeof pattern !== 'string') throw refusal(param, 'it takes a regular expression as text')
  if (pattern.length > limits.patternChars)
    throw refusal(param, `it has more than ${limits.patternChars} characters. Make it smaller`)
  try {
    new RegExp(pattern, 'u')
  } catch {
    throw refusal(param, 'this is no regular expression')
  }
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function refusal(param: string, why: string): HubError {
  return new HubError('invalid_request', `'${param}' is not valid: ${why}.`, { param })
}
