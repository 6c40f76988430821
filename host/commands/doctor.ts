// `gpuhost doctor`: looks at everything that can keep a machine from earning, and says what to do about it.
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import type { Env } from '../../sdk/env.ts'
import type { Home } from '../config.ts'
import { reason } from '../errors.ts'
import type { Check } from '../fit.ts'
import type { Card } from '../hardware/card.ts'
import type { Survey } from '../hardware/survey.ts'
import type { Catalog } from '../hub/catalog.ts'
import { checkLine, type Line } from '../hub/network.ts'
import type { Shelved } from '../weights/shelf.ts'
import { fittedModels } from './models.ts'
import { describeCard, gib } from './probe.ts'
import type { Shown } from './status.ts'

/** `warning`: it works, and could be better. */
export interface Finding extends Check {
  level: 'ok' | 'warning' | 'failed'
  /** The machine itself does not meet the requirements, whatever is set up on it. */
  machine: boolean
}

/** Whatever could not be found out is the error that says why. */
export interface Examined {
  home: Home
  survey: Survey
  status: Shown | Error
  /** Null: it has joined none. */
  hub: { address: string; owner: string | null } | null
  catalog: Catalog | Error | null
  /** Milliseconds that this machine's clock is ahead of the hub's; null: not known. */
  clockAheadMs: number | null
  /** Null: not measured. */
  line: Line | Error | null
  shelf: Shelved[]
  containers: GpuContainer[]
  /** Why vLLM cannot run in a container here; null: it can. */
  noContainer: string | null
  /** Processes of this installation's own engines. */
  own: ReadonlySet<number>
}

export interface GpuContainer {
  name: string
  privileged: boolean
}

/** More than a desktop's own programs take of a card they only draw on. */
const FOREIGN_BYTES = 300 * 2 ** 20
const HOT_CELSIUS = 83
/** The hub takes a machine's word within ten minutes. */
const CLOCK_MS = 10 * 60_000

export function diagnose(examined: Examined): Finding[] {
  const { survey } = examined
  return [
    ...folder(examined.home),
    ...graphics(survey),
    ...survey.cards.flatMap((card) => health(card, examined.own)),
    ...surroundings(survey, examined.containers),
    ...engine(survey, examined.noContainer),
    ...membership(examined),
    ...models(examined),
    ...weights(examined.shelf),
    ...agent(examined.status),
  ]
}

type Told = Omit<Finding, 'ok' | 'level' | 'machine' | 'remedy'> & { remedy: string }

const fine = (told: Omit<Told, 'remedy'>): Finding => ({ ...told, ok: true, level: 'ok', machine: false, remedy: null })
const warning = (told: Told): Finding => ({ ...told, ok: true, level: 'warning', machine: false })
const failed = (told: Told, machine = false): Finding => ({ ...told, ok: false, level: 'failed', machine })
const judged = (ok: boolean, told: Told, machine = false) => (ok ? fine(told) : failed(told, machine))

function folder({ path }: Home): Finding[] {
  const told = {
    what: 'folder',
    required: 'a folder of its owner alone',
    why: 'Keys, logs and weights are kept in it.',
  }
  if (!existsSync(path)) return [fine({ ...told, actual: `${path} is made at the first start` })]
  const mode = (statSync(path).mode & 0o777).toString(8)
  const writable = attempt(() => accessSync(path, constants.W_OK)) === null
  if (!writable)
    return [failed({ ...told, actual: `${path} cannot be written`, remedy: 'Set GPUHOST_HOME to a folder you own.' })]
  return [judged(mode.endsWith('00'), { ...told, actual: `${path}, mode ${mode}`, remedy: `chmod 700 ${path}` })]
}

function graphics({ cards, driver, simulated }: Survey): Finding[] {
  const usable = cards.filter(({ trouble }) => trouble === null)
  const told = { what: 'GPU', required: 'an NVIDIA GPU that works', why: 'Models are served from the memory of a GPU.' }
  const remedy = 'Install the NVIDIA driver (on Ubuntu: sudo ubuntu-drivers install), reboot, and look at nvidia-smi.'
  const actual = driver.trouble ?? (usable.length === 0 ? 'none found' : usable.map(({ name }) => name).join(', '))
  const by = { what: 'driver', required: 'the driver’s own library', why: 'It says most, and never takes long.' }
  return [
    judged(usable.length > 0, { ...told, actual: simulated ? `${actual} (simulated)` : actual, remedy }, true),
    ...(driver.by === 'nvidia-smi'
      ? [
          warning({
            ...{ ...by, actual: 'only nvidia-smi answers' },
            remedy:
              'The library libnvidia-ml.so.1 is missing or does not work: set GPUHOST_NVML to its path, or install the driver anew.',
          }),
        ]
      : []),
  ]
}

/** A rented container has no choice; a machine of its own has. */
function engine({ cards, place }: Survey, noContainer: string | null): Finding[] {
  if (cards.length === 0) return []
  const told = { what: 'engine', required: 'a container', why: 'What breaks out of an engine is still shut in there.' }
  if (noContainer === null) return [fine({ ...told, actual: 'vLLM, in a container' })]
  if (place.container) return [fine({ ...told, required: 'a process', actual: 'vLLM, as a process' })]
  const remedy = 'Install docker.io and nvidia-container-toolkit, or serve with less protection (docs: host security).'
  return [warning({ ...told, actual: `vLLM, as a process: ${noContainer}`, remedy })]
}

function health(card: Card, own: ReadonlySet<number>): Finding[] {
  const told = { what: card.uuid ?? card.name, why: 'What is wrong with a card shows before it fails.' }
  if (card.trouble !== null)
    return [
      failed({
        ...told,
        actual: `${card.name}: ${card.trouble}`,
        required: 'a GPU that answers',
        remedy: 'Reboot. If it comes back, the card, its power or its slot is failing.',
      }),
    ]
  const findings = [fine({ ...told, actual: describeCard(card), required: 'a GPU that answers' })]
  const { temperatureCelsius: celsius, pcie, processes } = card
  if (celsius !== null && celsius >= HOT_CELSIUS)
    findings.push(
      warning({
        ...told,
        actual: `${celsius} °C`,
        required: `less than ${HOT_CELSIUS} °C`,
        remedy: 'Clean the fans and let air in: a hot card slows itself down.',
      }),
    )
  if (pcie.width !== null && pcie.width < 4)
    findings.push(
      warning({
        ...told,
        actual: `PCIe ×${pcie.width}`,
        required: '×4 or wider',
        remedy: 'Loading a model takes long over a riser: move the card to a full slot.',
      }),
    )
  const foreign = (processes ?? []).filter(({ pid, usedBytes }) => (usedBytes ?? 0) > FOREIGN_BYTES && !own.has(pid))
  if (foreign.length > 0) {
    const names = foreign.map(({ name, pid, usedBytes }) => `${name ?? `process ${pid}`} (${gib(usedBytes ?? 0)})`)
    findings.push(
      warning({
        ...told,
        actual: names.join(', '),
        required: 'no other program on the GPU',
        remedy: 'End them before you start, or offer a smaller model.',
      }),
    )
  }
  return findings
}

function surroundings({ place, system }: Survey, containers: readonly GpuContainer[]): Finding[] {
  const told = {
    what: 'place',
    required: 'Linux on a machine, a Vast.ai instance or a RunPod pod',
    why: 'Engines differ by place.',
  }
  const where = `${place.kind}, ${system.os}`
  const findings = [
    place.kind === 'wsl2'
      ? warning({ ...told, actual: where, remedy: 'WSL2 is experimental: expect less memory, and no power limits.' })
      : judged(system.platform === 'linux', { ...told, actual: where, remedy: 'Use a Linux machine.' }, true),
  ]
  for (const { name, privileged } of containers)
    findings.push(
      warning({
        ...{ what: 'containers', actual: `${name} has ${privileged ? 'every device' : 'a GPU'}` },
        ...{ required: 'no other container on the GPU', why: 'Two that share a card take its memory from each other.' },
        remedy: `docker stop ${name}, unless it leaves the card alone.`,
      }),
    )
  return findings
}

function membership({ hub, catalog, clockAheadMs, line }: Examined): Finding[] {
  const told = { what: 'hub', required: 'a hub that answers', why: 'It sends the requests, and pays.' }
  if (hub === null)
    return [failed({ ...told, actual: 'none joined', remedy: 'gpuhost setup --hub https://hub.example' })]
  if (catalog instanceof Error)
    return [failed({ ...told, actual: reason(catalog), remedy: 'Check the network and the address.' })]
  const whose = hub.owner === null ? hub.address : `${hub.address}, for ${hub.owner}`
  const findings = [fine({ ...told, actual: whose })]
  if (clockAheadMs !== null)
    findings.push(
      judged(Math.abs(clockAheadMs) < CLOCK_MS, {
        ...{
          what: 'clock',
          actual: `${Math.round(Math.abs(clockAheadMs) / 1_000)} s off`,
          required: 'right within 10 min',
        },
        ...{ why: 'A machine signs when it links.', remedy: 'sudo timedatectl set-ntp true' },
      }),
    )
  if (line instanceof Error)
    findings.push(
      warning({
        ...{
          what: 'line',
          actual: reason(line),
          required: 'a measurement',
          why: 'Below the hub’s minimum no requests come.',
        },
        remedy: 'Run gpuhost doctor again in a few minutes.',
      }),
    )
  if (line !== null && !(line instanceof Error) && catalog)
    findings.push(
      ...checkLine(line, catalog.network).map(
        (check): Finding => ({ ...check, level: check.ok ? 'ok' : 'failed', machine: true }),
      ),
    )
  return findings
}

function models({ catalog, survey, shelf }: Examined): Finding[] {
  if (catalog === null || catalog instanceof Error) return []
  const here = new Set(shelf.flatMap(({ manifest }) => (manifest ? [manifest.variant] : [])))
  const supposed = { hours: 8, busy: 0.5, kilowattHourUsd: 0.17 }
  const sold = fittedModels(catalog, survey, supposed, here).filter(({ onOffer }) => onOffer)
  const fits = sold.filter(({ verdict }) => verdict === 'fits')
  const told = {
    what: 'models',
    required: 'one that the hub sells and this machine can serve',
    why: 'Nothing else earns.',
  }
  const busy = sold.filter(({ verdict }) => verdict === 'busy')
  if (fits.length === 0 && busy.length > 0)
    return [
      warning({
        ...told,
        actual: `${busy.length}, once other programs give the GPU back`,
        remedy: 'gpuhost models says which programs hold it.',
      }),
    ]
  const actual =
    fits.length === 0
      ? `none of ${sold.length}`
      : fits
          .map(({ id }) => id)
          .slice(0, 4)
          .join(', ')
  return [judged(fits.length > 0, { ...told, actual, remedy: 'gpuhost models says what each one lacks.' }, true)]
}

function weights(shelf: readonly Shelved[]): Finding[] {
  return shelf
    .filter(({ manifest, inUse }) => manifest === null && !inUse)
    .map(({ name, bytes }) =>
      warning({
        ...{ what: 'weights', actual: `${name} has not arrived whole (${gib(bytes)})`, required: 'whole downloads' },
        ...{
          why: 'Parts take room and serve nothing.',
          remedy: `Go on with gpuhost weights add, or: gpuhost weights remove ${name}`,
        },
      }),
    )
}

function agent(status: Shown | Error): Finding[] {
  const told = { what: 'agent', required: 'one that answers', why: 'It is what serves.' }
  if (status instanceof Error)
    return [failed({ ...told, actual: reason(status), remedy: 'gpuhost stop --now, then gpuhost start' })]
  if (status.state === 'stopped') return [fine({ ...told, actual: 'not running' })]
  const { state, why } = status
  return [fine({ ...told, actual: why === null ? state : `${state}: ${why}` })]
}

function attempt(work: () => unknown): Error | null {
  try {
    work()
    return null
  } catch (error) {
    return error as Error
  }
}

/** The clock of a hub by its own answer. Null where it does not say. @throws what the connection throws */
export async function clockAhead(env: Env, hub: string): Promise<number | null> {
  const late = new AbortController()
  const cancel = env.timer(10_000, () => late.abort(new Error('it does not answer')))
  try {
    const response = await fetch(`${hub}/healthz`, { redirect: 'error', signal: late.signal })
    await response.body?.cancel()
    const said = Date.parse(response.headers.get('date') ?? '')
    return Number.isNaN(said) ? null : env.now() - said
  } finally {
    cancel()
  }
}
