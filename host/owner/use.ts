// Whether somebody else uses the card now: a program of the owner's that computes or plays on it, GameMode, or
// somebody at the screen.
import { existsSync } from 'node:fs'
import type { Env } from '../../sdk/env.ts'
import { printable } from '../errors.ts'
import type { Card, GpuProcess } from '../hardware/card.ts'
import type { Asked } from '../hardware/driver.ts'
import { say } from '../hardware/program.ts'
import { sessionWatch } from './session.ts'

/** What uses it, in words; null: nothing; `unknown`: the driver does not say. */
export type Use = { by: string } | null | 'unknown'

export interface UseWorld {
  env: Env
  /** The driver, asked now. */
  cards: () => Promise<Asked>
  /** Processes of our own engines that run now. */
  own: () => Promise<ReadonlySet<number>>
  /** UUIDs of the cards on offer; null: all of the machine. */
  gpus: ReadonlySet<string> | null
  /** False: an engine that this program did not start is on the card as well, and cannot be told from others. */
  processes: boolean
  /** Default `gamemoded` and `loginctl` of the PATH. */
  gamemoded?: string
  loginctl?: string
}

/** More than a small program of a desktop's takes. */
const COMPUTES_BYTES = 300 * 2 ** 20
const DRAWS_BYTES = 512 * 2 ** 20
/** They draw all day without anybody playing. */
const DESKTOP =
  /(^|\/)(Xorg|X|Xwayland|gnome-shell|kwin_x11|kwin_wayland|plasmashell|mutter|weston|sway|Hyprland|cinnamon|xfwm4|cosmic-comp)\b/

const GAMEMODE_MS = 2_000

/** A function that looks once. */
export function lookFor({
  env,
  cards: ask,
  own,
  gpus,
  processes,
  gamemoded = 'gamemoded',
  loginctl,
}: UseWorld): (watched: { session: boolean }) => Promise<Use> {
  const atScreen = sessionWatch(env, loginctl)
  // A process that was ours stays ours while it is listed: one that is ending may not be among its fellows any more.
  let ours = new Set<number>()
  return async ({ session }) => {
    if (await playing(env, gamemoded)) return { by: 'GameMode' }
    if (session && (await atScreen())) return { by: 'somebody at its screen' }
    if (!processes) return null
    const { cards, trouble } = await ask()
    const offered = cards.filter(({ uuid }) => gpus === null || (uuid !== null && gpus.has(uuid)))
    if (trouble !== null || offered.every((card) => card.processes === null)) return 'unknown'
    const users = heavyUsers(offered)
    if (users.some(({ pid }) => !ours.has(pid))) for (const pid of await own()) ours.add(pid)
    ours = new Set([...ours].filter((pid) => users.some((user) => user.pid === pid)))
    const other = users.find(({ pid }) => !ours.has(pid) && existsSync(`/proc/${pid}`))
    return other ? { by: nameOf(other) } : null
  }
}

function heavyUsers(cards: readonly Card[]): GpuProcess[] {
  return cards
    .flatMap(({ processes }) => processes ?? [])
    .filter(({ kind, name, usedBytes }) =>
      kind === 'compute'
        ? (usedBytes ?? Number.POSITIVE_INFINITY) > COMPUTES_BYTES
        : (usedBytes ?? 0) > DRAWS_BYTES && !DESKTOP.test(name ?? ''),
    )
}

function nameOf({ name, pid }: GpuProcess): string {
  return printable((name ?? '').split('/').at(-1) || `process ${pid}`).slice(0, 60)
}

async function playing(env: Env, gamemoded: string): Promise<boolean> {
  const said = await say(env, [gamemoded, '-s'], GAMEMODE_MS)
  return 'text' in said && /gamemode is active/.test(said.text)
}
