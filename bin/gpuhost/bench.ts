import { benchmark, describeBenchmark } from '../../host/commands/benchmark.ts'
import { explainCheck } from '../../host/commands/models.ts'
import { type Choice, savedChoice } from '../../host/choice.ts'
import { homeAt, machineId, makeHome } from '../../host/config.ts'
import { chooseEngine, type EngineName, groupsOf, measuredOn } from '../../host/engine/choose.ts'
import { DriverWatch } from '../../host/hardware/driver.ts'
import { gauges } from '../../host/hardware/gauges.ts'
import { humanLine, logTo } from '../../host/log.ts'
import { systemEnv } from '../../sdk/env.ts'
import { command, type World } from '../command.ts'
import { Failure } from '../failure.ts'
import { columns } from '../lines.ts'
import type { Options } from '../options.ts'
import { metered } from './metered.ts'
import { accessTo, surveyed } from './probe.ts'
import { progressOn } from './progress.ts'
import { untilInterrupted } from './weights.ts'

export const soakOption = {
  'soak-seconds': {
    type: 'integer',
    value: 'N',
    default: 60,
    min: 1,
    max: 3_600,
    help: 'How long all it can do at a time is kept up.',
  },
} as const satisfies Options

/** `bench` is its name; `benchmark` means the same. */
export const benchCommand = (self: readonly string[], name: 'bench' | 'benchmark') =>
  command({
    name,
    summary: 'Measure how fast this machine serves what setup chose; starts the engine for it, and ends it.',
    options: {
      engine: { type: 'string', value: 'NAME', choices: ['vllm', 'docker', 'process'], help: 'As for gpuhost start.' },
      ...soakOption,
    },
    notes: [
      'What it finds is how many requests gpuhost start offers to take. Exit code 3: it is too slow for the model.',
    ],
    async run({ options, world, out, say }) {
      const choice = savedChoice(homeAt(world.env))
      if (!choice?.weightsFolder) throw new Failure('Nothing is ready to be measured: gpuhost setup', 2)
      const engine = (['docker', 'process'] as const).find((each) => each === options.engine) ?? 'vllm'
      const done = await measured(self, world, choice, { engine, soakSeconds: options['soak-seconds'] })
      out(done, columns(describeBenchmark(done.benchmark)))
      const failed = done.checks.filter(({ ok }) => !ok)
      for (const check of failed) say(explainCheck(check))
      return failed.length > 0 ? 3 : 0
    },
  })

/** @throws HostError */
export async function measured(
  self: readonly string[],
  world: World,
  choice: Choice,
  { engine: name, soakSeconds }: { engine: EngineName; soakSeconds: number },
) {
  const home = homeAt(world.env)
  makeHome(home)
  const found = await surveyed(self, world)
  const access = accessTo(self, world.env)
  const progress = progressOn(world)
  const log = logTo(systemEnv, world.interactive ? () => {} : world.stderr, humanLine)
  const facts = { env: systemEnv, log, home, machine: machineId(home, systemEnv), found, access, variables: world.env }
  const settings = { engine: name, model: choice.variant, slots: 1, contextTokens: choice.contextTokens }
  return metered(world, async (count) => {
    const engine = await chooseEngine(settings, { ...facts, count, measuring: true })
    const groups = groupsOf(choice, found.cards)
    const { signal, over } = untilInterrupted()
    const uuids = new Set(choice.gpus.flat())
    const driver = new DriverWatch(systemEnv, access)
    return benchmark({
      ...{ env: systemEnv, home, engine, soakSeconds, progress, signal },
      ...measuredOn(choice.variant, found, groups),
      minTokensPerSecond: choice.minTokensPerSecond ?? 0,
      cardsNow: async () => gauges(await driver.look(), uuids),
    }).finally(() => (driver.close(), over(), progress('')))
  })
}
