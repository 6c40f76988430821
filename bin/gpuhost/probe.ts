import { describeSurvey } from '../../host/commands/probe.ts'
import { homeAt } from '../../host/config.ts'
import type { DriverReport } from '../../host/hardware/card.ts'
import type { DriverAccess } from '../../host/hardware/driver.ts'
import { nvmlReader } from '../../host/hardware/nvml.ts'
import { type Survey, survey } from '../../host/hardware/survey.ts'
import { systemEnv } from '../../sdk/env.ts'
import { command, type World } from '../command.ts'
import { columns } from '../lines.ts'

export const probeCommand = (self: readonly string[]) =>
  command({
    name: 'probe',
    summary: 'What this machine is made of.',
    options: {
      library: {
        type: 'string',
        value: 'PATH',
        help: 'Only what that NVML library says of the GPUs, read in this very process.',
      },
      follow: { type: 'boolean', help: 'With --library: anew for each line of standard input, a line each.' },
    },
    async run({ options, world, out }) {
      if (options.library !== undefined && options.follow) return follow(nvmlReader(options.library), world)
      if (options.library !== undefined) {
        const report = nvmlReader(options.library)()
        return out(report, [JSON.stringify(report)])
      }
      const found = await surveyed(self, world)
      out(found, columns(describeSurvey(found)))
    },
  })

/** Ends with whoever asks. */
async function follow(read: () => DriverReport, { stdout }: World): Promise<void> {
  for await (const bytes of Bun.stdin.stream())
    for (const byte of bytes) if (byte === 10) stdout(`${JSON.stringify(read())}\n`)
}

/** The driver is asked by this program in a process of its own. `GPUHOST_NVML`: its library, where it is in no usual place. */
export function accessTo(self: readonly string[], env: World['env']): DriverAccess {
  return { reader: [...self, 'probe', '--json', '--library'], library: env.GPUHOST_NVML || undefined }
}

export function surveyed(self: readonly string[], { env }: World, simulate?: string): Promise<Survey> {
  const { path: folder } = homeAt(env)
  return survey({ env: systemEnv, access: accessTo(self, env), variables: env, folder, simulate })
}
