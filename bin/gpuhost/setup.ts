import { createInterface } from 'node:readline/promises'
import { describeBenchmark } from '../../host/commands/benchmark.ts'
import { login } from '../../host/commands/login.ts'
import { MODEL_HEADER, MODEL_NUMBERS, modelRow } from '../../host/commands/models.ts'
import { setup } from '../../host/commands/setup.ts'
import { describeProgress } from '../../host/commands/weights.ts'
import { homeAt, makeHome } from '../../host/config.ts'
import { runningPid } from '../../host/daemon/lock.ts'
import { readCatalog } from '../../host/hub/catalog.ts'
import type { Member } from '../../host/hub/member.ts'
import { measureLine } from '../../host/hub/network.ts'
import { linkProver, savedLogin } from '../../host/login.ts'
import { httpAddress } from '../../host/tunnel/address.ts'
import { version as release } from '../../package.json'
import { systemEnv } from '../../sdk/env.ts'
import { command, type World } from '../command.ts'
import { columns, table } from '../lines.ts'
import type { Options } from '../options.ts'
import { measured, soakOption } from './bench.ts'
import { hubOf, hubOption } from './hub.ts'
import { metered } from './metered.ts'
import { nightOptions, supposedOf } from './models.ts'
import { surveyed } from './probe.ts'
import { progressOn } from './progress.ts'
import { fetchOptions, limitsOf, shelfAt, sourceOf, untilInterrupted } from './weights.ts'

export const invitationOption = {
  invitation: {
    type: 'string',
    value: 'CODE',
    env: 'GPUHOST_INVITATION',
    help: 'Where new owners need one: an invitation’s code or link; otherwise you are asked.',
  },
} as const satisfies Options

export const setupCommand = (self: readonly string[]) =>
  command({
    name: 'setup',
    summary: 'Look at this machine, choose a model, join the hub, download, measure: all that comes before start.',
    options: {
      ...hubOption,
      token: {
        type: 'string',
        value: 'TOKEN',
        env: 'GPUHOST_TOKEN',
        help: 'What the hub gave you, without gpuhost login; others can read arguments, so better in the environment.',
      },
      model: { type: 'string', value: 'ID', help: 'Instead of being asked, e.g. Qwen/Qwen3-8B:fp8.' },
      name: { type: 'string', value: 'NAME', help: 'How the hub shows this machine; its own name otherwise.' },
      ...invitationOption,
      yes: {
        type: 'boolean',
        help: 'You agree to what is shown, licences too; without --model the best one is taken.',
      },
      'no-benchmark': { type: 'boolean', help: 'Do not measure at the end; gpuhost bench does it later.' },
      ...soakOption,
      ...fetchOptions,
      ...nightOptions,
    },
    notes: ['Exit code 3: this machine or its line does not meet the requirements; what fails says what to do.'],
    async run({ options, world, out, say }) {
      const hub = hubOf(world, options.hub)
      const home = homeAt(world.env)
      makeHome(home)
      const progress = progressOn(world)
      const shelf = shelfAt(world)
      const { signal, over } = untilInterrupted()
      const survey = () => surveyed(self, world)
      const { model, yes } = options
      const done = await setup(
        { model, yes, supposed: supposedOf(options) },
        {
          home,
          ask: asking(world),
          say,
          survey,
          catalog: () => readCatalog(systemEnv, hub),
          downloaded: ({ variants }) => new Set(variants.filter((each) => shelf.find(each)).map(({ id }) => id)),
          show: (models) =>
            table({ header: MODEL_HEADER, rows: models.map(modelRow), right: MODEL_NUMBERS, empty: '' }).forEach(say),
          async join(): Promise<Member> {
            const prove = linkProver(home, systemEnv)
            if (options.token !== undefined) return { env: systemEnv, hub, token: options.token, prove }
            const before = savedLogin(home)
            if (before && httpAddress(before.hub) === hub) return { env: systemEnv, hub, token: before.token, prove }
            const ways = { env: systemEnv, home, version: release, fetch, survey, say, progress, ask: asking(world) }
            await login({ hub, name: options.name, invitation: options.invitation }, ways)
            return { env: systemEnv, hub, token: savedLogin(home)!.token, prove: linkProver(home, systemEnv) }
          },
          measure: (member) => metered(world, (count) => measureLine({ ...member, progress, count })),
          async benchmark(choice) {
            if (options['no-benchmark']) return null
            if (runningPid(home) === undefined)
              return measured(self, world, choice, { engine: 'vllm', soakSeconds: options['soak-seconds'] })
            say('gpuhost runs now, so nothing was measured: gpuhost stop, then gpuhost bench.')
            return null
          },
          async download(variant) {
            const tell = (at: Parameters<typeof describeProgress>[0]) => progress(describeProgress(at))
            const { source, counted } = sourceOf(world, options)
            const wanted = { variant, signal, source, progress: tell, ...limitsOf(options) }
            return (await shelf.fetch(wanted).finally(counted)).folder
          },
        },
      ).finally(() => (over(), progress('')))
      const how = done.model?.engine === 'own' ? ' --engine openai --engine-url http://127.0.0.1:11434' : ''
      if (done.benchmark) columns(describeBenchmark(done.benchmark)).forEach(say)
      out(done, done.ready ? [`Ready. Serve with: gpuhost start${how}`] : ['Not ready.'])
      return done.ready ? 0 : 3
    },
  })

/** Asks on the terminal; null where there is none. */
export function asking({ interactive }: World): (question: string) => Promise<string | null> {
  return async (question) => {
    if (!interactive || process.stdin.isTTY !== true) return null
    const lines = createInterface({ input: process.stdin, output: process.stderr })
    try {
      return await lines.question(question)
    } finally {
      lines.close()
    }
  }
}
