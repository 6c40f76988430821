import { expect, test } from 'bun:test'
import { testDialects } from '../db/testing.ts'
import { killHubs } from './hub-kill.ts'

const rounds = { sqlite: 20, postgres: 5 }

test.each(testDialects)(
  'on %s a hub killed under load has billed every complete answer once, and nothing else',
  async (database) => {
    const certificate = await killHubs(database, rounds[database])
    expect(certificate.complete).toBeGreaterThan(rounds[database])
    expect(certificate.wrong).toEqual([])
    expect(certificate.books).toMatchObject({ ok: true, sum: '0', openHolds: 0, problems: [] })
  },
  240_000,
)
