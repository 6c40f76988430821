// Where a program meets its process. Nothing else reads argv, environment and standard streams.
import { type Group, runProgram, type World } from './command.ts'

/** Runs `program` with this process's arguments, then ends the process with its exit code. */
export async function main(program: Group, changes: Partial<World> = {}): Promise<never> {
  const [stdout, stderr] = [Bun.stdout.writer(), Bun.stderr.writer()]
  const to = (writer: Bun.FileSink) => (text: string) => {
    void writer.write(text)
    void writer.flush()
  }
  const code = await runProgram(program, {
    argv: process.argv.slice(2),
    env: process.env,
    stdout: to(stdout),
    stderr: to(stderr),
    stdin: () => Bun.stdin.text(),
    interactive: process.stderr.isTTY === true,
    ...changes,
  })
  // A pipe takes a long list only as fast as it is read.
  await Promise.all([stdout.end(), stderr.end()])
  process.exit(code)
}

/** This program as a command: works from source and compiled. */
export function thisProgram(): string[] {
  return Bun.main.startsWith('/$bunfs/') ? [process.execPath] : [process.execPath, Bun.main]
}
