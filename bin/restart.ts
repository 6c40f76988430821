// Starting the agent again: in the background, or in place with room for more requests.

import { statSync } from 'node:fs'

// Bun reads this once, as it starts; without it 256 requests at a time would be the agent's ceiling.
const ROOM = 'BUN_CONFIG_MAX_HTTP_REQUESTS'
const REQUESTS = '4096'
const BACKGROUND = 'GPUHOST_BACKGROUND'

type Variables = Readonly<Record<string, string | undefined>>

/** The arguments without the token, which every user of the machine could read there. */
export function withoutToken(argv: readonly string[]): string[] {
  return argv.filter((word, at) => word !== '--token' && argv[at - 1] !== '--token' && !word.startsWith('--token='))
}

export function withToken(env: Variables, token: string): Record<string, string | undefined> {
  return { ...env, GPUHOST_TOKEN: token, [ROOM]: env[ROOM] ?? REQUESTS }
}

export function forBackground(env: Variables): Record<string, string | undefined> {
  return { ...env, [BACKGROUND]: '1' }
}

export function inBackground(env: Variables): boolean {
  return env[BACKGROUND] === '1'
}

/** Replaces this process by `program` under the same process id, unless it has the room already. */
export function makeRoom(program: readonly string[], argv: readonly string[], env: Variables, token: string): void {
  const [path] = program
  if (env[ROOM] || !path || !process.execve) return
  process.execve(path, [...program, ...withoutToken(argv)], defined(withToken(env, token)))
}

/** Replaces this process by the program as it is on disk now, under the same process id. Returns where that cannot be. */
export function startAnew(program: readonly string[], argv: readonly string[], env: Variables, token: string): void {
  const [path] = program
  if (path && process.execve) process.execve(path, [...program, ...withoutToken(argv)], defined(withToken(env, token)))
}

/** Tells from then on whether the program on disk has been replaced. */
export function changedSince(program: readonly string[]): () => boolean {
  const path = program.at(-1) ?? ''
  const mark = () => {
    const file = statSync(path, { throwIfNoEntry: false })
    return file && `${file.ino} ${file.size} ${file.mtimeMs}`
  }
  const atStart = mark()
  return () => {
    const now = mark()
    return now !== undefined && now !== atStart
  }
}

function defined(env: Variables): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined))
}
