import type { StopWorld } from '../../host/commands/stop.ts'
import { homeAt } from '../../host/config.ts'
import { sweepEngines } from '../../host/engine/vllm/sweep.ts'
import { systemEnv } from '../../sdk/env.ts'
import type { World } from '../command.ts'
import { progressOn } from './progress.ts'

export type Kill = (pid: number) => void

/** What it takes to stop the agent of this home, whoever started it. */
export function stopping(world: World, kill: Kill): StopWorld {
  const home = homeAt(world.env)
  const sweep = () => sweepEngines(systemEnv, home, world.env)
  return { env: systemEnv, home, progress: progressOn(world), kill, sweep }
}
