// Where a program meets its process. Nothing else reads argv, environment and standard streams.
import { type Group, runProgram, type World } from './command.ts'

/** Runs `program` with this process's arguments, then ends the process with its exit code. */
export async function main(program: Group, changes: Partial<World> = {}): Promise<never> {
  const code = await runProgram(program, {
    argv: process.argv.slice(2),
    env: process.env,
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
    interactive: process.stderr.isTTY === true,
    ...changes,
  })
  // A pipe may not have taken everything yet.
  await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write('', done))))
  process.exit(code)
}

/** This program as a command: works from source and compiled. */
export function thisProgram(): string[] {
  return Bun.main.startsWith('/$bunfs/') ? [process.execPath] : [process.execPath, Bun.main]
}
