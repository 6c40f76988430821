// The frame both command lines stand on: a table of commands, strict flags, help, `--json`, exit codes.
// Nothing here reads the process: arguments, environment and terminal come in with `World`.
import { clip, type ExitCode, Failure } from './failure.ts'
import { helpFor, helpForGroup } from './help.ts'
import { type Options, type Places, type Positional, readLine, type Values } from './options.ts'
import { suggestion } from './suggestion.ts'

/** What a program has of the world around it. */
export interface World {
  argv: readonly string[]
  env: Readonly<Record<string, string | undefined>>
  stdout: (text: string) => void
  stderr: (text: string) => void
  /** All that comes on the standard input. */
  stdin: () => Promise<string>
  /** A person is watching: progress lines and colour are for them only. */
  interactive: boolean
}

export interface Context<O extends Options = Options, P extends readonly Positional[] = readonly Positional[]> {
  options: Values<O>
  positionals: Places<P>
  world: World
  json: boolean
  /** The command's result, once: one JSON document with `--json`, else `lines`; both on stdout. */
  out: (value: unknown, lines: readonly string[]) => void
  /** Anything said on the way; on stderr, so that stdout stays data. */
  say: (line: string) => void
}

type Outcome = ExitCode | void | Promise<ExitCode | void>

export interface Command {
  name: string
  summary: string
  options: Options
  positionals: readonly Positional[]
  /** Further lines at the end of its help. */
  notes: readonly string[]
  run(context: Context): Outcome
}

/** Commands under one word, such as `user add`. A program is a group, too. */
export interface Group {
  name: string
  summary: string
  commands: readonly (Command | Group)[]
}

/** Declares one command; its `run` sees options and positionals with their types. */
export function command<const O extends Options = {}, const P extends readonly Positional[] = readonly []>(spec: {
  name: string
  summary: string
  options?: O
  positionals?: P
  notes?: readonly string[]
  run(context: Context<O, P>): Outcome
}): Command {
  return {
    name: spec.name,
    summary: spec.summary,
    options: spec.options ?? {},
    positionals: spec.positionals ?? [],
    notes: spec.notes ?? [],
    // The context was read against this very spec, so it has these types.
    run: (context) => spec.run(context as unknown as Context<O, P>),
  }
}

/** Runs the command that `world.argv` names and returns the exit code. Never throws. */
export async function runProgram(program: Group, world: World): Promise<ExitCode> {
  try {
    return await dispatch(program.name, program, world)
  } catch (error) {
    return explain(error, world)
  }
}

async function dispatch(path: string, group: Group, world: World): Promise<ExitCode> {
  const [word, ...rest] = world.argv
  if (word === undefined) return print(world.stderr, helpForGroup(path, group), 2)
  if (asksHelp(word)) return print(world.stdout, helpForGroup(path, group), 0)
  const name = word === '--version' || word === '-v' ? 'version' : word
  const chosen = group.commands.find((entry) => entry.name === name)
  if (!chosen) {
    const names = group.commands.map((entry) => entry.name)
    throw new Failure(`"${clip(word)}" is not a command of ${path}.`, 2, suggestion(word, names, path))
  }
  const next = { ...world, argv: rest }
  return 'run' in chosen ? runCommand(`${path} ${name}`, chosen, next) : dispatch(`${path} ${name}`, chosen, next)
}

async function runCommand(path: string, chosen: Command, world: World): Promise<ExitCode> {
  const end = world.argv.indexOf('--')
  const flags = end === -1 ? world.argv : world.argv.slice(0, end)
  // Help wins over whatever else is wrong with the line.
  if (flags.some(asksHelp)) return print(world.stdout, helpFor(path, chosen), 0)
  const { json, options, positionals } = readLine(path, chosen, world.argv, world.env)
  const code = await chosen.run({
    options,
    positionals: positionals as Context['positionals'],
    world,
    json,
    out: (value, lines) => out(world, json, value, lines),
    say: (line) => world.stderr(`${line}\n`),
  })
  return code ?? 0
}

/** One JSON document, or lines for a person; both on stdout. */
export function out(world: World, json: boolean, value: unknown, lines: readonly string[]): void {
  if (json) world.stdout(`${JSON.stringify(value, null, 2)}\n`)
  else print(world.stdout, lines, 0)
}

const asksHelp = (word: string) => word === '--help' || word === '-h'

function print(write: (text: string) => void, lines: readonly string[], code: ExitCode): ExitCode {
  write(lines.map((line) => `${line}\n`).join(''))
  return code
}

function explain(error: unknown, world: World): ExitCode {
  if (error instanceof Error && 'exitCode' in error) {
    const hint = error instanceof Failure ? error.hint : undefined
    print(world.stderr, hint ? [error.message, hint] : [error.message], 0)
    return error.exitCode === 2 || error.exitCode === 3 ? error.exitCode : 1
  }
  const details = error instanceof Error ? (error.stack ?? error.message) : 'no details'
  return print(world.stderr, ['This is a bug in this program; please report it.', details], 1)
}
