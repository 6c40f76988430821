import { describe, expect, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import { testDatabase, testDialects } from '../../db/testing.ts'
import { addUser } from '../identity/users.ts'
import { virtualEnv } from '../../sdk/testing.ts'
import { helloOf } from '../tunnel/testing.ts'
import type { LinkState } from '../../db/schema/fleet.ts'
import { Enrolment } from './enrol.ts'
import { HUB_GONE_MS } from './hubs.ts'
import { findHost, pageOfHosts } from './list.ts'
import { countHosts, type HostFilter, type HostPlace } from './list-filter.ts'
import { addHostToken } from './token.ts'

const GIB = 2 ** 30

/** A database with two owners, whose machines enrol by name, and two hubs of which one is gone. */
async function world(dialect: (typeof testDialects)[number]) {
  const env = {
    ...virtualEnv({ now: Date.UTC(2026, 10, 23, 12) }),
    soon: (work: () => void) => void setImmediate(work),
  }
  const { db, drop } = await testDatabase(dialect)
  const { hubs, links, hosts } = db.tables
  await db.query.insert(hubs).values([
    { id: 'hub_here', startedAt: 0, seenAt: env.now() },
    { id: 'hub_gone', startedAt: 0, seenAt: env.now() - HUB_GONE_MS },
  ])
  const enrolment = new Enrolment(env, db)
  const owners = new Map<string, { id: string; tokenId: string }>()
  const ids = new Map<string, string>()
  for (const name of ['wim', 'aoi']) {
    const { id } = await addUser(env, db, { email: `${name}@example.com`, roles: ['host'] })
    owners.set(name, { id, tokenId: (await addHostToken(env, db, { ownerId: id, name })).id })
  }
  const ownerId = (name: string) => owners.get(name)!.id
  return {
    ...{ env, db, ownerId },
    /** Machines of an owner, each seen `seenAt` ms after now. */
    async machine(owner: string, name: string, { seenAt = 0, card = 'RTX 4090' } = {}) {
      const hardware = {
        ...helloOf({}).hardware,
        gpus: [{ name: card, memoryBytes: 24 * GIB, computeCapability: null, uuid: null }],
      }
      const { id, tokenId } = owners.get(owner)!
      const enrolled = await enrolment.host({
        ...{ ownerId: id, tokenId, machine: name, name, agent: 'test', hardware },
      })
      if (typeof enrolled === 'string') throw new Error(enrolled)
      ids.set(name, enrolled.id)
      await db.query
        .update(hosts)
        .set({ seenAt: env.now() + seenAt })
        .where(eq(hosts.id, enrolled.id))
      return enrolled.id
    },
    async link(name: string, hubId: string, state: LinkState, models: string[] = []) {
      await db.query.insert(links).values({ hostId: ids.get(name)!, hubId, epoch: 1, state, models, since: 0 })
    },
    /** The names of all pages. */
    async pages(filter: HostFilter, limit: number, between: () => Promise<unknown> = async () => {}) {
      const pages: string[][] = []
      for (let after: HostPlace | null = null; ; ) {
        const { hosts: found, next } = await pageOfHosts(env, db, { ...filter, limit, after })
        pages.push(found.map((host) => host.name))
        if (next === null) return pages
        after = next
        await between()
      }
    },
    /** In the order of the alphabet. */
    async found(filter: HostFilter) {
      const { hosts: found } = await pageOfHosts(env, db, { ...filter, limit: 100, after: null })
      expect(await countHosts(env, db, filter)).toBe(found.length)
      return found.map((host) => host.name).sort()
    },
    id: (name: string) => ids.get(name)!,
    [Symbol.asyncDispose]: drop,
  }
}

describe.each(testDialects)('a list of machines on %s', (dialect) => {
  test('comes page by page, the latest seen first, each of an owner’s once', async () => {
    await using it = await world(dialect)
    for (let i = 0; i < 7; i++) await it.machine('wim', `wim-${i}`, { seenAt: -1_000 * i })
    await it.machine('aoi', 'aoi-0')
    const mine = { ownerId: it.ownerId('wim') }
    expect(await it.pages(mine, 3)).toEqual([['wim-0', 'wim-1', 'wim-2'], ['wim-3', 'wim-4', 'wim-5'], ['wim-6']])
    expect(await it.pages(mine, 7)).toEqual([['wim-0', 'wim-1', 'wim-2', 'wim-3', 'wim-4', 'wim-5', 'wim-6']])
    expect((await it.pages({}, 100))[0]?.length).toBe(8)
    expect(await it.pages({ ownerId: 'usr_nobody' }, 3)).toEqual([[]])
  })

  test('goes on where it was, though its last machine comes back meanwhile, and some were seen at one instant', async () => {
    await using it = await world(dialect)
    for (let i = 0; i < 6; i++) await it.machine('wim', `wim-${i}`, { seenAt: -1_000 * Math.floor(i / 3) })
    const [first = [], ...rest] = await it.pages({}, 2)
    expect([...first, ...rest.flat()].sort()).toEqual(['wim-0', 'wim-1', 'wim-2', 'wim-3', 'wim-4', 'wim-5'])
    const back = async () => it.machine('wim', first.at(-1)!, { seenAt: 5_000 })
    expect(await it.pages({}, 2, back)).toEqual([first, ...rest])
  })

  test('is filtered by how a machine stands: by its best link to a hub that lives', async () => {
    await using it = await world(dialect)
    for (const name of ['both', 'draining', 'left-behind', 'away']) await it.machine('wim', name)
    await it.link('both', 'hub_gone', 'quarantined')
    await it.link('both', 'hub_here', 'ready')
    await it.db.query.insert(it.db.tables.hubs).values({ id: 'hub_too', startedAt: 0, seenAt: it.env.now() })
    await it.link('both', 'hub_too', 'tripped')
    await it.link('draining', 'hub_here', 'draining')
    await it.link('left-behind', 'hub_gone', 'ready')
    expect(await it.found({ state: 'ready' })).toEqual(['both'])
    expect(await it.found({ state: 'tripped' })).toEqual([])
    expect(await it.found({ state: 'draining' })).toEqual(['draining'])
    expect(await it.found({ state: 'gone' })).toEqual(['away', 'left-behind'])
    const { hosts } = it.db.tables
    const mark = (name: string, set: { checkedAt: number; vettedAt?: number }) =>
      it.db.query
        .update(hosts)
        .set(set)
        .where(eq(hosts.id, it.id(name)))
    await mark('both', { checkedAt: 1, vettedAt: 2 })
    await mark('away', { checkedAt: 1 })
    expect(await it.found({ stage: 'vetted' })).toEqual(['both'])
    expect(await it.found({ stage: 'checked' })).toEqual(['away'])
    expect(await it.found({ stage: 'new', state: 'gone' })).toEqual(['left-behind'])
  })

  test('is searched by name, owner, card, model and id, in any case, and with no sign that means others', async () => {
    await using it = await world(dialect)
    await it.machine('wim', '100%_Größe', { card: 'RTX 3060' })
    await it.machine('aoi', 'attic', { card: 'RTX 4090' })
    await it.machine('aoi', 'barn', { card: 'RTX 4090' })
    await it.link('attic', 'hub_here', 'ready', ['Qwen/Qwen3-8B:fp8'])
    await it.link('barn', 'hub_gone', 'ready', ['Qwen/Qwen3-8B:fp8'])
    const rows: [string, string[]][] = [
      ['ATTIC', ['attic']],
      ['wim@', ['100%_Größe']],
      ['AOI@example', ['attic', 'barn']],
      ['rtx 4090, 24 GiB', ['attic', 'barn']],
      ['qwen3-8b', ['attic']],
      ['Größe', ['100%_Größe']],
      ['0%_g', ['100%_Größe']],
      ['%', ['100%_Größe']],
      ['a_t', []],
      ['\\', []],
      [it.id('barn'), ['barn']],
    ]
    for (const [search, names] of rows) expect([search, await it.found({ search })]).toEqual([search, names])
    expect(await it.found({ search: 'rtx', ownerId: it.ownerId('wim') })).toEqual(['100%_Größe'])
  })

  test('has what a machine’s cards are now, and one of another owner is not found', async () => {
    await using it = await world(dialect)
    await it.machine('wim', 'attic', { card: 'RTX 3060' })
    const id = await it.machine('wim', 'attic', { card: 'RTX 5090' })
    expect(await it.found({ search: '3060' })).toEqual([])
    expect((await findHost(it.env, it.db, id, it.ownerId('wim')))?.hardware).toBe('RTX 5090, 24 GiB')
    expect(await findHost(it.env, it.db, id, it.ownerId('aoi'))).toBeNull()
  })
})
