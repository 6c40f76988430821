import { expect, test } from 'bun:test'
import { testDialects } from '../db/testing.ts'
import { linesOf } from './certificate.ts'
import { perform } from './scenario.ts'
import { scenarios } from './scenarios.ts'

const SEED = 20_261_123

const played = scenarios.filter(({ byCommandOnly }) => !byCommandOnly)
const plays = played.flatMap((scenario) =>
  scenario.databases
    .filter((database) => testDialects.includes(database))
    .map((database) => [scenario.name, database, scenario] as const),
)

test.each(plays)(
  '%s on %s keeps every promise',
  async (_, database, scenario) => {
    const obstacle = scenario.obstacle?.()
    if (obstacle) return console.error(`${scenario.name} WAS NOT PLAYED: ${obstacle}`)
    const length = (database === 'postgres' && scenario.shortOnPostgres) || scenario.short
    const certificate = await perform(scenario, { ...length, database, seed: SEED, timed: false, say: () => {} })
    expect(certificate.broken, linesOf(certificate).join('\n')).toEqual([])
  },
  240_000,
)
