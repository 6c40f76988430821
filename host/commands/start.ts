// `gpuhost start --foreground`: checks what it was told, finds out where it is, and serves until stopped.
import { hostname } from 'node:os'
import { type Env, newId } from '../../sdk/env.ts'
import { type Home, machineId, makeHome } from '../config.ts'
import { type Choice, savedChoice } from '../choice.ts'
import { run } from '../daemon/run.ts'
import type { Afterwards, Stopping } from '../daemon/stopping.ts'
import type { Updates } from '../daemon/update-watch.ts'
import { chooseEngine, type EngineSettings } from '../engine/choose.ts'
import { renewedEngine } from '../engine/renewed.ts'
import { probeLine } from '../hub/probe.ts'
import { engineProcesses } from '../engine/vllm/sweep.ts'
import { HostError, printable } from '../errors.ts'
import { type DriverAccess, DriverWatch } from '../hardware/driver.ts'
import type { Card } from '../hardware/card.ts'
import { checkContainers, otherContainers } from '../hardware/containers.ts'
import { cardsOf, gauges } from '../hardware/gauges.ts'
import { PowerCap } from '../hardware/power-cap.ts'
import { hardwareOf, type Survey, survey } from '../hardware/survey.ts'
import type { Log } from '../log.ts'
import { Offer } from '../offer.ts'
import { DataCap, DataMeter } from '../owner/data.ts'
import { Heat } from '../owner/heat.ts'
import { Owner } from '../owner/owner.ts'
import { Profit } from '../owner/profit.ts'
import { lookFor, type UseWorld } from '../owner/use.ts'
import { savedWishes } from '../owner/wishes.ts'
import { workNow } from '../owner/work.ts'
import { httpAddress, linkAddress } from '../tunnel/address.ts'
import { countedDial, type Dial } from '../tunnel/dial.ts'

export interface StartSettings extends EngineSettings {
  hub: string
  token: string
  name?: string
  /** How long running requests may take to finish on a stop. */
  graceSeconds: number
  /** No other container may run here. */
  strict: boolean
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
  const meter = new DataMeter(env, home.path)
  if (meter.trouble !== null) log.warn('data is counted from here on only', { why: meter.trouble })
  const count = (bytes: number) => meter.count(bytes)
  const surroundings = { env, log, home, machine, access, variables, count }
  const choice = savedChoice(home)
  const offered = offeredIn(choice)
  // An engine of the owner's own may be one of them.
  if (settings.simulateGpu === undefined && (settings.engineUrl === undefined || settings.strict))
    checkContainers(await otherContainers(env), { gpus: offered, strict: settings.strict })
  const first = await chooseEngine(settings, { ...surroundings, found })
  const engine = renewedEngine(first, async () => {
    const now = await survey({ env, access, variables, folder: home.path, simulate: settings.simulateGpu })
    return chooseEngine(settings, { ...surroundings, found: now })
  })
  const driver = new DriverWatch(env, access)
  const { container } = found.place
  const gauged = async () => gauges(await driver.look(GAUGES_MS), offered)
  const cap = new PowerCap({
    ...{ env, log, home, nvidiaSmi: access.nvidiaSmi },
    cards: async () => cardsOf((await driver.look()).cards, offered),
  })
  const offer = new Offer(engine)
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
    ...{ engine, offer },
    owner: new Owner(env, log, () => savedWishes(home), lookFor(useWorld(settings, world, { driver, container })), {
      profit: new Profit({
        ...{ env, log, gauges: gauged },
        work: () =>
          workNow({
            ...{ env, home, hub: httpAddress(settings.hub), model: settings.model },
            ...{ driver: found.driver, groups: groupsHere(found, choice) },
          }),
      }),
      heat: new Heat({
        ...{ env, log, celsius: async () => (await gauged()).celsius },
        limit: (share) => offer.limit(share),
      }),
      data: new DataCap(env, log, meter),
      cap,
    }),
    hub,
    token: settings.token,
    dial: countedDial(dial, count),
    probe: ({ address, host }, stopped) =>
      probeLine({ env, hub: httpAddress(address), token: settings.token, prove }, host, stopped, count),
    graceMs: settings.graceSeconds * 1_000,
    stopping,
    outdated,
    updates,
    launcher,
  }).finally(async () => {
    await cap.restore()
    driver.close()
    meter.close()
  })
}

/** What of the machine is looked at to see whether its owner uses the card. */
function useWorld(
  { engineUrl }: StartSettings,
  { env, home, variables }: StartWorld,
  { driver, container }: { driver: DriverWatch; container: boolean },
): UseWorld {
  return {
    ...{ env, cards: () => driver.look(), own: () => engineProcesses(env, home, variables) },
    gpus: offeredIn(savedChoice(home)),
    // In a container processes have other numbers than the driver knows, and our own would look like strangers.
    processes: engineUrl === undefined && !container,
  }
}

/** UUIDs of the cards on offer; null: all of the machine. */
function offeredIn(choice: Choice | null): ReadonlySet<string> | null {
  const chosen = choice?.gpus.flat() ?? []
  return chosen.length > 0 ? new Set(chosen) : null
}

/** Cards that serve together; without a choice each alone. */
function groupsHere({ cards }: Survey, choice: Choice | null): Card[][] {
  const usable = cards.filter(({ trouble }) => trouble === null)
  if (!choice || choice.gpus.length === 0) return usable.map((card) => [card])
  return choice.gpus.map((group) => usable.filter(({ uuid }) => uuid !== null && group.includes(uuid)))
}

/** Heat and power are looked at where somebody has just looked at the driver anyway. */
const GAUGES_MS = 5_000

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
