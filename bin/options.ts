// What a command may be given, and the strict reading of a line of arguments against it.
import { parseArgs } from 'node:util'
import { clip, Failure } from './failure.ts'
import { suggestion } from './suggestion.ts'

interface Described {
  help: string
  /** Environment variable read when the flag is not given. */
  env?: string
}
interface Switch extends Described {
  type: 'boolean'
}
interface Text extends Described {
  type: 'string'
  /** What stands for the value in the help, e.g. `URL`. */
  value: string
  default?: string
  required?: boolean
  choices?: readonly string[]
}
interface List extends Described {
  type: 'list'
  value: string
}
interface Whole extends Described {
  type: 'integer'
  value: string
  default?: number
  min: number
  max: number
}
export type Option = Switch | Text | List | Whole
export type Options = Record<string, Option>

export interface Positional {
  name: string
  help: string
  optional?: boolean
}

/** The value an option has once the command runs. */
type Value<O extends Option> = O extends Switch
  ? boolean
  : O extends List
    ? string[]
    : O extends Whole
      ? O extends { default: number }
        ? number
        : number | undefined
      : O extends { default: string } | { required: true }
        ? string
        : string | undefined
export type Values<O extends Options> = { [K in keyof O]: Value<O[K]> }
export type Places<P extends readonly Positional[]> = {
  [K in P[number] as K['name']]: K extends { optional: true } ? string | undefined : string
}

/** The values as read, before the command's own types are put on them. */
export interface Line {
  json: boolean
  options: Record<string, string | number | boolean | string[] | undefined>
  positionals: Record<string, string | undefined>
}

/** Reads `argv`, then the environment, then the defaults. @throws Failure with exit code 2 */
export function readLine(
  path: string,
  spec: { options: Options; positionals: readonly Positional[] },
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Line {
  const wrong = (message: string) => new Failure(message, 2, `See: ${path} --help`)
  const { values, words } = tokens(path, spec.options, argv)
  const line: Line = { json: values.has('json'), options: {}, positionals: {} }
  for (const [name, option] of Object.entries(spec.options)) {
    const fromEnv = option.env ? env[option.env] : undefined
    line.options[name] = valueOf(name, option, values.get(name) ?? (fromEnv ? [fromEnv] : []), wrong)
  }
  for (const [at, { name, optional }] of spec.positionals.entries()) {
    if (words[at] === undefined && !optional) throw wrong(`${path} needs ${name.toUpperCase()}.`)
    line.positionals[name] = words[at]
  }
  const extra = words[spec.positionals.length]
  if (extra !== undefined) throw wrong(`${path} does not take "${clip(extra)}".`)
  return line
}

function tokens(path: string, options: Options, argv: readonly string[]) {
  const known: Options = { ...options, json: { type: 'boolean', help: '' } }
  const config: Record<string, { type: 'boolean' | 'string' }> = {}
  for (const [name, { type }] of Object.entries(known))
    config[name] = { type: type === 'boolean' ? 'boolean' : 'string' }
  // Not `strict`: the platform's own messages name neither the command nor the nearest flag.
  const parsed = parseArgs({ args: [...argv], options: config, allowPositionals: true, strict: false, tokens: true })
  const values = new Map<string, string[]>()
  const wrong = (message: string, hint = `See: ${path} --help`) => new Failure(message, 2, hint)
  for (const token of parsed.tokens) {
    if (token.kind !== 'option') continue
    const option = Object.hasOwn(known, token.name) ? known[token.name] : undefined
    if (!option || !token.rawName.startsWith('--')) {
      const names = Object.keys(known).map((name) => `--${name}`)
      throw wrong(`${path} does not know ${clip(token.rawName)}.`, suggestion(token.rawName, names, path))
    }
    if (option.type === 'boolean' && token.value !== undefined)
      throw wrong(`--${token.name} is a switch: it takes no value.`)
    if (
      option.type !== 'boolean' &&
      (token.value === undefined || (!token.inlineValue && token.value.startsWith('--')))
    )
      throw wrong(`--${token.name} needs a value.`)
    const before = values.get(token.name)
    if (before && option.type !== 'list') throw wrong(`--${token.name} is given twice.`)
    values.set(token.name, [...(before ?? []), token.value ?? '1'])
  }
  return { values, words: parsed.positionals }
}

function valueOf(name: string, option: Option, given: string[], wrong: (message: string) => Failure) {
  const text = given[0]
  switch (option.type) {
    case 'boolean':
      return text === '1' || text === 'true'
    case 'list':
      return given
    case 'integer': {
      if (text === undefined) return option.default
      const number = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN
      if (number >= option.min && number <= option.max) return number
      throw wrong(`--${name} is a whole number from ${option.min} to ${option.max}, not "${clip(text)}".`)
    }
    case 'string':
      if (text === undefined && option.default === undefined && option.required)
        throw wrong(`--${name} ${option.value} is missing.${option.env ? ` ${option.env} may hold it, too.` : ''}`)
      if (text !== undefined && option.choices && !option.choices.includes(text))
        throw wrong(`--${name} is one of ${option.choices.join(', ')}, not "${clip(text)}".`)
      return text ?? option.default
  }
}
