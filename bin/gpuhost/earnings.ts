import {
  earnings,
  EARNINGS_HEADER,
  earningsNote,
  EARNINGS_NUMBERS,
  earningsRows,
} from '../../host/commands/earnings.ts'
import { homeAt, knownMachine } from '../../host/config.ts'
import { linkProver, savedLogin } from '../../host/login.ts'
import { systemZone } from '../../host/owner/hours.ts'
import { savedWishes } from '../../host/owner/wishes.ts'
import { httpAddress } from '../../host/tunnel/address.ts'
import { systemEnv } from '../../sdk/env.ts'
import { command, type World } from '../command.ts'
import { Failure } from '../failure.ts'
import { table } from '../lines.ts'
import { hubOf, hubOption } from './hub.ts'

export const earningsCommand = command({
  name: 'earnings',
  summary: 'What this machine earned today, in 7 and in 30 days, by model.',
  options: hubOption,
  notes: [
    'By the hub’s books, after the platform’s share. Days are yours: of the zone given to gpuhost schedule, else of this',
    'system’s clock. Days of zones that are not whole hours from UTC begin at the full hour before.',
  ],
  async run({ options, world, out }) {
    const home = homeAt(world.env)
    const machine = knownMachine(home)
    if (machine === null) throw new Failure('This machine has not been at a hub yet.', 1, 'gpuhost setup begins.')
    const hub = hubOf(world, options.hub)
    const earned = await earnings(
      { env: systemEnv, hub, token: tokenFor(world, hub), prove: linkProver(home, systemEnv) },
      machine,
      zoneOf(world),
    )
    const rows = earningsRows(earned)
    const empty = 'Nothing in 30 days. gpuhost status says what it does now.'
    const note = earningsNote(earned)
    const lines = table({ header: EARNINGS_HEADER, rows, right: EARNINGS_NUMBERS, empty })
    out(earned, note === null ? lines : [...lines, '', note])
  },
})

/** The owner's days. */
export function zoneOf({ env }: World): string {
  return savedWishes(homeAt(env)).schedule?.zone ?? systemZone()
}

/** What opens that hub: the token of the environment, or the one it gave. @throws Failure */
function tokenFor({ env }: World, hub: string): string {
  if (env.GPUHOST_TOKEN) return env.GPUHOST_TOKEN
  const saved = savedLogin(homeAt(env))
  if (saved && httpAddress(saved.hub) === hub) return saved.token
  throw new Failure(`This machine has not joined ${hub} yet.`, 2, `gpuhost login --hub ${hub}, or set GPUHOST_TOKEN.`)
}
