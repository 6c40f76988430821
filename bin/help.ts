// What `--help` says, made from the same table the arguments are checked against.
import type { Option, Options, Positional } from './options.ts'
import { columns } from './lines.ts'

interface Command {
  summary: string
  options: Options
  positionals: readonly Positional[]
  notes: readonly string[]
}
interface Group {
  summary: string
  commands: readonly (
    | { name: string; summary: string }
    | { name: string; summary: string; commands: Group['commands'] }
  )[]
}

export function helpForGroup(path: string, group: Group): string[] {
  return [
    group.summary,
    '',
    `Usage: ${path} COMMAND`,
    '',
    ...columns(listed(group.commands)).map(indented),
    '',
    `${path} COMMAND --help says more. Every command takes --json.`,
  ]
}

export function helpFor(path: string, command: Command): string[] {
  const places = command.positionals.map(({ name, optional }) =>
    optional ? `[${name.toUpperCase()}]` : name.toUpperCase(),
  )
  const required = Object.entries(command.options).filter(
    ([, option]) => 'required' in option && option.required && !option.env,
  )
  const usage = [path, ...places, ...required.map(([name, option]) => flag(name, option)), '[OPTIONS]']
  const options = Object.entries(command.options).map(([name, option]) => [flag(name, option), explained(option)])
  options.push(['--json', 'Print one JSON document on stdout.'], ['--help', 'Print this.'])
  const arguments_ = command.positionals.map(({ name, help }) => [name.toUpperCase(), help])
  return [
    command.summary,
    '',
    `Usage: ${usage.join(' ')}`,
    '',
    ...(arguments_.length > 0 ? [...columns(arguments_).map(indented), ''] : []),
    ...columns(options).map(indented),
    ...(command.notes.length > 0 ? ['', ...command.notes] : []),
  ]
}

function listed(entries: Group['commands']): string[][] {
  return entries.map((entry) => [
    entry.name,
    'commands' in entry ? `${entry.summary} (${entry.commands.map(({ name }) => name).join(', ')})` : entry.summary,
  ])
}

function flag(name: string, option: Option): string {
  return option.type === 'boolean' ? `--${name}` : `--${name} ${option.value}`
}

function explained(option: Option): string {
  const notes: string[] = []
  if (option.type === 'string' && option.choices) notes.push(option.choices.join('|'))
  if (option.type === 'list') notes.push('may be given more than once')
  if ('default' in option && option.default !== undefined) notes.push(`default ${option.default}`)
  if (option.env) notes.push(option.env)
  return notes.length > 0 ? `${option.help} [${notes.join('; ')}]` : option.help
}

const indented = (line: string) => `  ${line}`
