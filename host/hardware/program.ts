// Other programs' answers, never waited for longer than said: a process that hangs in the driver cannot be killed, so its
// end is not waited for either.
import type { Env } from '../../sdk/env.ts'

export type Said = { code: number; text: string } | { absent: true } | { late: true }

/** Runs `command` without a shell; what it prints is cut at `MOST_BYTES`. */
export async function say(env: Env, command: readonly string[], withinMs: number): Promise<Said> {
  const [name = '', ...args] = command
  const path = Bun.which(name)
  if (!path) return { absent: true }
  const child = start([path, ...args])
  if (!child) return { absent: true }
  let cancel = () => {}
  const late = new Promise<Said>((resolve) => {
    cancel = env.timer(withinMs, () => resolve({ late: true }))
  })
  const ended = Promise.all([new Response(child.stdout).text(), child.exited]).then(([text, code]) => ({ code, text }))
  const said = await Promise.race([ended, late])
  cancel()
  if ('late' in said) {
    child.kill('SIGKILL')
    child.unref()
  }
  return said
}

export type Answered = { text: string } | { ended: true } | { late: true }

/** A program that answers each line with a line, as long as it is asked. */
export class Reader {
  private readonly child
  private readonly out: ReadableStreamDefaultReader<Uint8Array> | undefined
  private readonly decoder = new TextDecoder()
  private text = ''

  constructor(command: readonly string[]) {
    this.child = spawned(command)
    this.out = this.child?.stdout.getReader()
  }

  /** Its answer to one more line. */
  async line(env: Env, withinMs: number): Promise<Answered> {
    if (!this.child) return { ended: true }
    void this.child.stdin.write('\n')
    void this.child.stdin.flush()
    let cancel = () => {}
    const late = new Promise<Answered>((resolve) => {
      cancel = env.timer(withinMs, () => resolve({ late: true }))
    })
    const answered = await Promise.race([this.next().catch((): Answered => ({ ended: true })), late])
    cancel()
    return answered
  }

  /** Its end is not waited for: one that hangs in the driver has none. */
  end(): void {
    this.child?.kill('SIGKILL')
    this.child?.unref()
  }

  private async next(): Promise<Answered> {
    for (;;) {
      const end = this.text.indexOf('\n')
      if (end !== -1) {
        const line = this.text.slice(0, end)
        this.text = this.text.slice(end + 1)
        return { text: line }
      }
      const piece = await this.out?.read()
      if (!piece?.value || this.text.length > MOST_BYTES) return { ended: true }
      this.text += this.decoder.decode(piece.value, { stream: true })
    }
  }
}

function spawned(command: readonly string[]) {
  try {
    return Bun.spawn([...command], { stdin: 'pipe', stdout: 'pipe', stderr: 'ignore' })
  } catch {
    return undefined
  }
}

const MOST_BYTES = 512 * 1024

function start(command: string[]) {
  try {
    return Bun.spawn(command, {
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'ignore',
      maxBuffer: MOST_BYTES,
    })
  } catch {
    return undefined
  }
}
