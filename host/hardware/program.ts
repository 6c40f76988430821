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
