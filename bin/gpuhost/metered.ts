import { homeAt, makeHome } from '../../host/config.ts'
import { DataMeter } from '../../host/owner/data.ts'
import { systemEnv } from '../../sdk/env.ts'
import type { World } from '../command.ts'

/** Work whose bytes count toward what this machine may use in a month, beside a running agent. */
export async function metered<T>({ env }: World, work: (count: (bytes: number) => void) => Promise<T>): Promise<T> {
  const home = homeAt(env)
  makeHome(home)
  const meter = new DataMeter(systemEnv, home.path)
  try {
    return await work((bytes) => meter.count(bytes))
  } finally {
    meter.close()
  }
}
