import { writeFileSync } from 'node:fs'
import { anyBenchmark } from '../../host/benchmark/record.ts'
import { describeBenchmark } from '../../host/commands/benchmark.ts'
import { endOf, withoutSecrets } from '../../host/commands/bundle.ts'
import { clockAhead, diagnose, type Examined } from '../../host/commands/doctor.ts'
import { explainCheck } from '../../host/commands/models.ts'
import { status } from '../../host/commands/status.ts'
import { version } from '../../host/commands/version.ts'
import { type Home, homeAt } from '../../host/config.ts'
import { dockerHere } from '../../host/engine/vllm/docker-here.ts'
import { engineProcesses } from '../../host/engine/vllm/sweep.ts'
import { HostError, reason } from '../../host/errors.ts'
import { checklist } from '../../host/hardware/checklist.ts'
import { gpuContainers } from '../../host/hardware/containers.ts'
import { readCatalog } from '../../host/hub/catalog.ts'
import { measureLine } from '../../host/hub/network.ts'
import { linkProver, savedLogin } from '../../host/login.ts'
import { httpAddress } from '../../host/tunnel/address.ts'
import { Shelf } from '../../host/weights/shelf.ts'
import { version as release } from '../../package.json'
import { systemEnv } from '../../sdk/env.ts'
import { command, type World } from '../command.ts'
import { columns } from '../lines.ts'
import { hubOption } from './hub.ts'
import { accessTo, surveyed } from './probe.ts'
import { progressOn } from './progress.ts'

export const doctorCommand = (self: readonly string[]) =>
  command({
    name: 'doctor',
    summary: 'Look at everything that can keep this machine from earning; say what to do about it.',
    options: {
      ...hubOption,
      full: { type: 'boolean', help: 'Also what only a machine with a real GPU can show, for people who compare.' },
      bundle: {
        type: 'string',
        value: 'FILE',
        help: 'Write it all there, with the log, for whoever helps; no secrets.',
      },
    },
    notes: ['Exit code 3: the machine or its line does not meet the requirements. 1: something else is to be mended.'],
    async run({ options, world, out, say }) {
      const examined = await examine(self, world, options.hub).finally(() => progressOn(world)(''))
      const findings = diagnose(examined)
      const items = options.full
        ? await checklist(systemEnv, accessTo(self, world.env), lastBenchmark(homeAt(world.env)))
        : undefined
      const ok = findings.every((finding) => finding.ok)
      const report = { ok, findings, ...(items ? { checklist: items } : {}) }
      const marks = { ok: 'ok', warning: 'WARNING', failed: 'FAILED' }
      out(report, [
        ...columns(findings.map(({ level, what, actual }) => [marks[level], what, actual])),
        ...findings.filter(({ level }) => level !== 'ok').flatMap((finding) => ['', explainCheck(finding)]),
        ...(items ?? []).flatMap(({ what, how, result }) => [
          '',
          `${what} (${how})`,
          `  ${result ?? 'cannot be seen here'}`,
        ]),
      ])
      if (options.bundle !== undefined) {
        writeBundle(options.bundle, { ...report, survey: examined.survey, shelf: examined.shelf }, examined.home)
        say(`${options.bundle} has it all, without tokens, addresses or names. Look at it before you send it.`)
      }
      if (ok) return 0
      return findings.some((finding) => !finding.ok && finding.machine) ? 3 : 1
    },
  })

async function examine(self: readonly string[], world: World, named: string | undefined): Promise<Examined> {
  const home = homeAt(world.env)
  const login = savedLogin(home)
  const address = named ?? login?.hub
  const hub = address === undefined ? null : httpAddress(address)
  const token = world.env.GPUHOST_TOKEN ?? (login && hub === httpAddress(login.hub) ? login.token : undefined)
  const progress = progressOn(world)
  const [survey, agent, catalog, clockAheadMs, containers, docker, own] = await Promise.all([
    surveyed(self, world),
    status(systemEnv, home).catch(asError),
    hub === null ? null : readCatalog(systemEnv, hub).catch(asError),
    hub === null ? null : clockAhead(systemEnv, hub).catch(() => null),
    gpuContainers(systemEnv),
    dockerHere(systemEnv, world.env),
    engineProcesses(systemEnv, home, world.env),
  ])
  const member = { env: systemEnv, hub: hub ?? '', token: token ?? '', prove: linkProver(home, systemEnv), progress }
  const measured = hub === null || token === undefined || catalog instanceof Error
  return {
    ...{ home, survey, status: agent, catalog, clockAheadMs, containers, own },
    noContainer: 'why' in docker ? docker.why : null,
    hub: hub === null ? null : { address: hub, owner: login?.owner ?? null },
    line: measured ? null : await measureLine(member).catch(asError),
    shelf: new Shelf(systemEnv, `${home.path}/weights`).list(),
  }
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error('unknown error'))

/** In one line; null: none that can be read. */
function lastBenchmark(home: Home): string | null {
  const found = anyBenchmark(home)
  if (found === null) return null
  const words = describeBenchmark(found).map(([fact, value]) => `${fact}: ${value}`)
  return [found.variant, found.cards.join(' + '), ...words].join('; ')
}

function writeBundle(path: string, report: object, home: Home): void {
  const text = JSON.stringify({ version: version(release), ...report, log: endOf(home.logPath).split('\n') }, null, 2)
  try {
    writeFileSync(path, `${withoutSecrets(text)}\n`, { mode: 0o600 })
  } catch (error) {
    throw new HostError(`${path} cannot be written: ${reason(error)}.`)
  }
}
