import { homeAt } from '../../host/config.ts'
import { savedLogin } from '../../host/login.ts'
import { httpAddress } from '../../host/tunnel/address.ts'
import type { World } from '../command.ts'
import { Failure } from '../failure.ts'
import type { Options } from '../options.ts'

export const hubOption = {
  hub: { type: 'string', value: 'URL', env: 'GPUHOST_HUB', help: 'The hub; after gpuhost login, that one.' },
} as const satisfies Options

/** Where the hub answers HTTP: the one named, else the one this machine has joined. @throws Failure where there is neither */
export function hubOf(world: World, named: string | undefined): string {
  const hub = named ?? savedLogin(homeAt(world.env))?.hub
  if (hub !== undefined) return httpAddress(hub)
  throw new Failure('Which hub? Join one with gpuhost login --hub https://hub.example, or name it with --hub.', 2)
}
