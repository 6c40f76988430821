import { expect, test } from 'bun:test'
import { startPages } from '../testing.ts'

const COUNT = 1_300

test('a download has every request of a filter once, newest first, however far apart they are', async () => {
  await using pages = await startPages({ credit: { ada: '$1' } })
  const ada = await pages.browser('ada')
  const now = pages.env.now()
  const rows = Array.from({ length: COUNT }, (_, n) => ({
    ...{ id: `req_${String(n).padStart(6, '0')}`, hubId: 'hub', userId: ada.userId, variant: 'a:bf16', stream: true },
    // The newest and the oldest.
    ...{ keyId: n === 0 || n === COUNT - 1 ? 'key_rare' : 'key_busy', state: 'completed' as const },
    ...{ at: now - COUNT + n, endedAt: now, promptTokens: 1, completionTokens: 1, countsDiffer: false },
    ...{ promptPicos: 1, completionPicos: 1, cost: 0n, fee: 0n, hostShare: 0n, attempts: 1, delivered: true },
  }))
  for (let at = 0; at < COUNT; at += 500)
    await pages.world.db.query.insert(pages.world.db.tables.requests).values(rows.slice(at, at + 500))
  const read = async (query: string) => {
    const lines = (await (await ada.get(`/client/usage.csv${query}`)).text()).split('\r\n')
    expect(lines[0]).toStartWith('id,at,model,')
    expect(lines.at(-1)).toBe('')
    return lines.slice(1, -1).map((line) => line.split(',')[0])
  }
  const newest = rows.map(({ id }) => id).reverse()
  expect(await read('')).toEqual(newest)
  expect(await read('?key=key_rare')).toEqual([newest[0], newest.at(-1)])
  expect(await read('?key=key_busy')).toEqual(newest.slice(1, -1))
  expect(await read('?key=key_unused')).toEqual([])
})
