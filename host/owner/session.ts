// Whether somebody is at this machine's screen, as systemd's logind knows: a session on a seat that is in front, neither
// locked nor idle. What counts as idle is the desktop's to say, mostly after some minutes without keyboard and mouse.
import type { Env } from '../../sdk/env.ts'
import { say } from '../hardware/program.ts'

const LOGINCTL_MS = 2_000
/** A person does not come and go faster. */
const LOOK_MS = 10_000
const MOST_SESSIONS = 64

/** A function that looks, seldom enough to be asked at any time. False also where nobody can say. */
export function sessionWatch(env: Env, loginctl = 'loginctl'): () => Promise<boolean> {
  let last: { active: boolean; at: number } | undefined
  return async () => {
    if (!last || env.mono() - last.at >= LOOK_MS) last = { active: await active(env, loginctl), at: env.mono() }
    return last.active
  }
}

async function active(env: Env, loginctl: string): Promise<boolean> {
  const listed = await say(env, [loginctl, 'list-sessions', '--no-legend'], LOGINCTL_MS)
  if (!('text' in listed) || listed.code !== 0) return false
  const ids = listed.text.split('\n').flatMap((line) => /^\s*([\w-]{1,40})\s/.exec(line)?.[1] ?? [])
  if (ids.length === 0) return false
  const asked = ['Class', 'Seat', 'Active', 'IdleHint', 'LockedHint'].flatMap((name) => ['-p', name])
  const shown = await say(env, [loginctl, 'show-session', ...ids.slice(0, MOST_SESSIONS), ...asked], LOGINCTL_MS)
  return 'text' in shown && shown.text.split(/\n\s*\n/).some(isSomebody)
}

/** `Class=user`, `Seat=seat0` … The greeter that waits for a name is nobody. */
function isSomebody(block: string): boolean {
  const facts = new Map(
    block.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  )
  const is = (name: string, value: string) => facts.get(name)?.trim() === value
  const seated = (facts.get('Seat') ?? '').trim() !== ''
  return is('Class', 'user') && seated && is('Active', 'yes') && !is('IdleHint', 'yes') && !is('LockedHint', 'yes')
}
