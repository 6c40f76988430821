// `gpuhost start --foreground`: checks what it was told, finds out where it is, and serves until stopped.
import { hostname } from 'node:os'
import { type Env, newId } from '../../sdk/env.ts'
import { type Home, machineId, makeHome } from '../config.ts'
import { savedChoice } from '../choice.ts'
import { run } from '../daemon/run.ts'
import type { Afterwards, Stopping } from '../daemon/stopping.ts'
import type { Updates } from '../daemon/update-watch.ts'
import { chooseEngine, type EngineSettings } from '../engine/choose.ts'
import { renewedEngine } from '../engine/renewed.ts'
import { probeLine } from '../hub/probe.ts'
import { engineProcesses } from '../engine/vllm/sweep.ts'
import { HostError, printable } from '../errors.ts'
import type { DriverAccess } from '../hardware/driver.ts'
import { hardwareOf, survey } from '../hardware/survey.ts'
import type { Log } from '../log.ts'
import { Owner } from '../owner/owner.ts'
import { lookFor, type UseWorld } from '../owner/use.ts'
import { savedWishes } from '../owner/wishes.ts'
import { httpAddress, linkAddress } from '../tunnel/address.ts'
import type { Dial } from '../tunnel/dial.ts'

export interface StartSettings extends EngineSettings {
  hub: string
  token: string
  name?: string
  /** How long running requests may take to finish on a stop. */
  graceSeconds: number
}

export interface StartWorld {
  env: Env
  log: Log
  home: Home
  version: string
  dial: Dial
  /** As `Member` has it. */
  prove: (token: string) => string | null
  stopping: Stopping
  outdated: () => boolean
  updates: Updates | undefined
  launcher: number | undefined
  /** Version of a newer program that did not work here lately; null: none. */
  failedUpdate: string | null
  access: DriverAccess
  variables: Readonly<Record<string, string | undefined>>
}

/** Resolves when the host was stopped, to what is to follow. @throws HostError when it cannot start, or cannot go on */
export async function start(settings: StartSettings, world: StartWorld): Promise<Afterwards> {
  const { env, log, home, version, dial, prove, stopping, outdated, updates, launcher, access, variables } = world
  const hub = linkAddress(settings.hub)
  check(settings)
  makeHome(home)
  const found = await survey({ env, access, variables, folder: home.path, simulate: settings.simulateGpu })
  const hardware = hardwareOf(found)
  if (found.driver.trouble !== null) log.warn('the GPUs cannot be read', { why: found.driver.trouble })
  const machine = machineId(home, env)
  const surroundings = { env, log, home, machine, access, variables }
  const first = await chooseEngine(settings, { ...surroundings, found })
  const engine = renewedEngine(first, async () => {
    const now = await survey({ env, access, variables, folder: home.path, simulate: settings.simulateGpu })
    return chooseEngine(settings, { ...surroundings, found: now })
  })
  if (hub.startsWith('ws:') && !isLoopback(hub)) log.warn('the link to the hub is not encrypted: use https', { hub })
  return run({
    env,
    log,
    home,
    identity: {
      ...{ agent: version, machine, run: newId(env, 'run') },
      ...{ name: nameOf(settings.name), hardware },
      ...(world.failedUpdate === null ? {} : { failedUpdate: world.failedUpdate }),
    },
    engine,
    owner: new Owner(env, log, () => savedWishes(home), lookFor(useWorld(settings, world, found.place.container))),
    hub,
    token: settings.token,
    dial,
    probe: ({ address, host }, stopped) =>
      probeLine({ env, hub: httpAddress(address), token: settings.token, prove }, host, stopped),
    graceMs: settings.graceSeconds * 1_000,
    stopping,
    outdated,
    updates,
    launcher,
  })
}

/** What of the machine is looked at to see whether its owner uses the card. */
function useWorld(
  { engineUrl }: StartSettings,
  { env, home, access, variables }: StartWorld,
  inContainer: boolean,
): UseWorld {
  const chosen = savedChoice(home)?.gpus.flat() ?? []
  return {
    ...{ env, access, own: () => engineProcesses(env, home, variables) },
    gpus: chosen.length > 0 ? new Set(chosen) : null,
    // In a container processes have other numbers than the driver knows, and our own would look like strangers.
    processes: engineUrl === undefined && !inContainer,
  }
}

/** What a hub would refuse is said here, before anything starts. @throws HostError */
export function check({ model, token }: Pick<StartSettings, 'model' | 'token'>): void {
  if (!/^[A-Za-z0-9_.:/-]{1,80}$/.test(model))
    throw new HostError(`"${printable(model.slice(0, 80))}" is not a model id. Write it like Qwen/Qwen3-8B.`, 2)
  if (!/^[\x21-\x7e]{1,500}$/.test(token))
    throw new HostError('The token is not one a hub gives out: it has blanks or other signs in it.', 2)
}

/** What the hub calls this machine. */
export function nameOf(name: string | undefined): string {
  return printable(name ?? hostname()).slice(0, 60)
}

function isLoopback(address: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(address).hostname)
}
