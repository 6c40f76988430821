// What starts and ends an engine: a container, or a process of this machine.
import type { Step } from './phase.ts'

export interface Runner {
  /** The socket it will listen on, as this program reaches it. */
  readonly socket: string
  /** What has to be there first: an image, packages. @throws HostError */
  prepare(tell: (step: Step) => void, signal: AbortSignal): Promise<void>
  /** Ends and removes whatever an earlier run has left; quick, and not stopped by anything that hangs. */
  clear(): Promise<void>
  /** Starts it; `line` is called with each line it logs. @throws HostError */
  begin(line: (text: string) => void): Promise<Running>
}

export interface End {
  /** Null: by a signal. */
  code: number | null
  /** The system ended it for its memory. */
  outOfMemory: boolean
}

export interface Running {
  ended: Promise<End>
  /** Asks it to end. */
  stop(): void
  /** Resolves once nothing of it is left. */
  kill(): Promise<void>
}

/** Longest line that is kept, characters. */
const MOST = 2_000

/** Cuts what an engine writes into lines. Progress bars write over their line: each state counts as one. */
export async function eachLine(bytes: AsyncIterable<Uint8Array>, line: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const piece of bytes) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split(/[\r\n]+/)
    rest = (lines.pop() ?? '').slice(-MOST)
    for (const each of lines) if (each.trim() !== '') line(each.slice(0, MOST))
  }
  if (rest.trim() !== '') line(rest)
}
