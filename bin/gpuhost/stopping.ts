import type { StopWorld } from '../../host/commands/stop.ts'
import { homeAt } from '../../host/config.ts'
import { sweepEngines } from '../../host/engine/vllm/sweep.ts'
import { restorePower } from '../../host/hardware/power-cap.ts'
import { humanLine, logTo } from '../../host/log.ts'
import { systemEnv } from '../../sdk/env.ts'
import type { World } from '../command.ts'
import { progressOn } from './progress.ts'

export type Kill = (pid: number) => void

/** What it takes to stop the agent of this home, whoever started it. */
export function stopping(world: World, kill: Kill): StopWorld {
  const home = homeAt(world.env)
  const log = logTo(systemEnv, world.stderr, humanLine)
  const sweep = async () => {
    await sweepEngines(systemEnv, home, world.env)
    await restorePower({ env: systemEnv, home, log })
  }
  return { env: systemEnv, home, progress: progressOn(world), kill, sweep }
}
