// An owner of many machines finds each of them, by page, by filter and by address.
import { expect, test } from 'bun:test'
import { helloOf } from '../../hub/tunnel/testing.ts'
import { startPages } from '../testing.ts'

const MANY = 120

async function world() {
  const pages = await startPages({ credit: { ada: '$1', bob: '$1' }, hosts: { berlin: {} } })
  const owner = await pages.browser('ada', ['host'])
  const other = await pages.browser('bob', ['host'])
  const { db } = pages.world
  const { hosts, hubs, links } = db.tables
  const [hub] = await db.query.select().from(hubs)
  const now = pages.env.now()
  const { hardware } = helloOf({})
  const machine = (i: number, ownerId: string, cards: string) => ({
    ...{ id: `host_${ownerId.slice(-4)}_${i}`, ownerId, tokenId: 'token', machine: `m${i}`, name: `rack-${i}` },
    ...{ agent: 'test', hardware, cards, simulated: true, createdAt: now, seenAt: now - 1_000 * i },
  })
  const mine = Array.from({ length: MANY }, (_, i) => machine(i, owner.userId, i % 40 === 7 ? 'RTX 3060' : 'RTX 4090'))
  await db.query.insert(hosts).values([...mine, machine(500, other.userId, 'RTX 3060')])
  await db.query.insert(links).values(
    [3, 77].map((i) => ({
      ...{ hostId: mine[i]!.id, hubId: hub!.id, epoch: 1, models: [], since: now },
      state: 'ready' as const,
    })),
  )
  /** The names of a page's machines, and where it leads next. */
  const read = async (path: string) => {
    const answer = await owner.get(path)
    expect(answer.status).toBe(200)
    const html = await answer.text()
    const names = [...html.matchAll(/<a href="\/host\/machines\/host_[^"]+">([^<]+)<\/a>/g)].map(([, name]) => name)
    const more = /<a href="([^"]+)">More<\/a>/.exec(html)?.[1]?.replaceAll('&amp;', '&') ?? null
    return { html, names, more }
  }
  return { pages, owner, other, mine, read }
}

test('lists them by fifty, with addresses that lead on and stay', async () => {
  const { pages, read } = await world()
  await using _ = pages
  const seen: (string | undefined)[] = []
  const sizes: number[] = []
  for (let path: string | null = '/host/machines'; path !== null; ) {
    const { names, more } = await read(path)
    sizes.push(names.length)
    seen.push(...names)
    path = more
  }
  expect(sizes).toEqual([50, 50, 20])
  expect(seen).toEqual(Array.from({ length: MANY }, (_, i) => `rack-${i}`))
})

test('finds them by state, card and name, and says when none is like that', async () => {
  const { pages, read } = await world()
  await using _ = pages
  expect((await read('/host/machines?state=ready')).names).toEqual(['rack-3', 'rack-77'])
  expect((await read('/host/machines?search=3060')).names).toEqual(['rack-7', 'rack-47', 'rack-87'])
  expect((await read('/host/machines?search=RACK-11&state=gone')).names.length).toBe(11)
  const { more } = await read('/host/machines?search=4090&state=gone')
  expect(more).toStartWith('/host/machines?state=gone&search=4090&seen=')
  expect((await read(more!)).names.length).toBe(50)
  const none = await read('/host/machines?search=nothing')
  expect(none.html).toContain('None of your 120 machines is like that.')
  expect(none.html).toContain('value="nothing"')
  // What stands for nothing asks for all.
  for (const odd of ['state=odd', 'seen=x&after=y', 'seen=1', 'after=host_1'])
    expect((await read(`/host/machines?${odd}`)).names[0]).toBe('rack-0')
})

test('has the latest ten on the first page, how many there are, and the way to all', async () => {
  const { pages, owner, other, mine, read } = await world()
  await using _ = pages
  const { html, names } = await read('/host')
  expect(names).toEqual(Array.from({ length: 10 }, (_, i) => `rack-${i}`))
  expect(html).toContain('<a href="/host/machines">All 120 machines</a>')
  expect(html).toMatch(/Machines ready<\/dt><dd class="figure">2<\/dd><dd class="note">of 120</)
  expect((await owner.get(`/host/machines/${mine[119]!.id}`)).status).toBe(200)
  expect((await other.get(`/host/machines/${mine[119]!.id}`)).status).toBe(404)
  const few = await (await other.get('/host')).text()
  expect(few).not.toContain('All 1 machines')
  expect(few).toContain('rack-500')
})
