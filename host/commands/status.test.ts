import { expect, test } from 'bun:test'
import { testDialects } from '../../db/testing.ts'
import { addHostToken } from '../../hub/fleet/token.ts'
import { addUser } from '../../hub/identity/users.ts'
import { systemEnv } from '../../sdk/env.ts'
import type { Status } from '../daemon/status.ts'
import { serveHub } from '../hub/testing.ts'
import { describeView, hubsView, type Shown } from './status.ts'

const linkedAs = (address: string, host: string, machine: string): Shown => {
  const hubs: Status['hubs'] = [{ address, state: 'linked', host, linkedSeconds: 5 } as Status['hubs'][number]]
  return { state: 'serving', why: null, hubs, machine } as unknown as Shown
}

test.each(testDialects)(
  'status says what the hub sees and what it earned, to the owner’s machines only, on %s',
  async (database) => {
    await using hub = await serveHub({ database, credit: { ada: '$1' }, hosts: { berlin: {} } })
    const { world } = hub
    const { db } = world.world
    const { hosts } = db.tables
    const [row] = await db.query.select().from(hosts)
    if (!row) throw new Error('no host')
    const tokenOf = (ownerId: string) => addHostToken(world.env, db, { ownerId, name: 'x' }).then(({ token }) => token)
    const own = await tokenOf(row.ownerId)
    // Who is there is written down a moment after.
    await world.env.advance(2_000)
    const view = (token: string) =>
      hubsView(linkedAs(`${hub.url}/hosts/link`, row.id, row.machine), 'UTC', (address) => ({
        env: { ...systemEnv, now: () => world.env.now() },
        hub: address,
        token,
        prove: () => null,
      }))

    expect(await view(own)).toMatchObject({ id: row.id, state: 'ready', requests: 0, earned: '0.00' })
    expect((await view(own))?.idle).toContain('Nobody asked for its models')

    expect((await world.as('ada').chat('count')).status).toBe(200)
    const after = await view(own)
    expect(after).toMatchObject({ idle: null, requests: 1 })
    expect(Number(after?.earned)).toBeGreaterThan(0)
    expect(after && describeView(after)[0]).toEqual(['at the hub', 'ready'])
    expect(after?.earnedToday).toBe(after?.earned ?? '')

    world.host('berlin').stop('soon')
    await world.env.advance(2_000)
    expect((await view(own))?.idle).toBe('Its owner is stopping it. gpuhost start starts it again.')

    const stranger = await addUser(world.env, db, { email: 'mallory@example.com', roles: ['host'] })
    expect(await view(await tokenOf(stranger.id))).toBeNull()
    expect(await hubsView({ state: 'stopped' }, 'UTC', () => null)).toBeNull()
  },
)
