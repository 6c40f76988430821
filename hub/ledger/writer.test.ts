import { describe, expect, test } from 'bun:test'
import { silentLog } from '../log.ts'
import { freeRow } from './request-row.ts'
import type { Applied, Batch, Item, Outcome } from './items.ts'
import { StatementError, type Store } from './store.ts'
import { ended, refusalOf, stillEnv } from './testing.ts'
import { Writer } from './writer.ts'

type Answer = (batch: Batch) => Applied | Promise<Applied>

const record = (id: string): Item => ({ kind: 'record', row: freeRow(ended(id)) })
const idOf = (item: Item) => (item.kind === 'record' ? String(item.row[0]) : item.kind)
const allDone = (batch: Batch): Outcome[] => batch.items.map(() => ({ kind: 'done' }))

/** A writer whose database answers as `answer` says; `sent` are the ids of each batch. */
function world(answer: Answer) {
  const env = stillEnv()
  const sent: string[][] = []
  const aborted: number[] = []
  const store: Store = {
    async apply(batch) {
      sent.push(batch.items.map(idOf))
      return answer(batch)
    },
    abort: () => void aborted.push(env.mono()),
    async close() {},
  }
  let enrolments = 1
  const enrolment = {
    id: () => `hub_${enrolments}`,
    renew: (): Item => {
      enrolments++
      return { kind: 'enrol', selfUrl: null }
    },
    renewed: () => {},
  }
  return { env, sent, aborted, writer: new Writer(env, store, silentLog, enrolment) }
}

describe('the writer', () => {
  test('commits what gathered while the last commit was under way, a hundred at most, in order', async () => {
    const { writer, sent } = world(allDone)
    const first = writer.ask(record('a'))
    const rest = Array.from({ length: 250 }, (_, i) => writer.ask(record(String(i))))
    await Promise.all([first, ...rest])
    expect(sent.map((ids) => ids.length)).toEqual([100, 100, 51])
    expect(sent.flat()).toEqual(['a', ...Array.from({ length: 250 }, (_, i) => String(i))])
  })

  test('waits a little for more where many come, and not where few do', async () => {
    const { env, writer, sent } = world(allDone)
    const ask = async (each: number, everyMs: number, times: number) => {
      sent.length = 0
      for (let i = 0; i < times; i++) {
        for (let k = 0; k < each; k++) writer.push({ item: record(`${i} ${k}`) })
        await env.advance(everyMs)
      }
      await env.advance(100)
      expect(sent.flat()).toHaveLength(each * times)
      return sent.length
    }
    expect(await ask(1, 10, 50)).toBe(50)
    expect(await ask(4, 1, 50)).toBeLessThan(25)
    expect(await ask(1, 10, 50)).toBeGreaterThan(45)
  })

  test('finds the item that the database refuses, and applies all the others', async () => {
    const refusing: Answer = (batch) => {
      if (batch.items.some((item) => idOf(item) === '13')) throw new StatementError('not this one')
      return allDone(batch)
    }
    const { writer, sent } = world(refusing)
    const outcomes = await Promise.all(Array.from({ length: 100 }, (_, i) => writer.ask(record(String(i)))))
    expect(outcomes.map(({ kind }, i) => (kind === 'refused' ? i : null)).filter((i) => i !== null)).toEqual([13])
    expect(sent.length).toBeLessThan(16)
  })

  test('tries the same batch again until the weather is better', async () => {
    let storms = 3
    const stormy: Answer = (batch) => {
      if (storms-- > 0) throw new Error('connection lost')
      return allDone(batch)
    }
    const { env, writer, sent } = world(stormy)
    const asked = [writer.ask(record('a')), writer.ask(record('b'))]
    await env.advance(2_000)
    expect(await Promise.all(asked)).toEqual([{ kind: 'done' }, { kind: 'done' }])
    expect(sent).toEqual(Array.from({ length: 4 }, () => ['a', 'b']))
  })

  test('enrols again when its enrolment is over, and sends the batch in the new name', async () => {
    const names: (string | null)[] = []
    const { writer, sent } = world((batch) => {
      names.push(batch.hubId)
      return batch.hubId === 'hub_1' ? 'fenced' : allDone(batch)
    })
    expect(await writer.ask(record('a'))).toEqual({ kind: 'done' })
    expect(names).toEqual(['hub_1', 'hub_2'])
    expect(sent[1]).toEqual(['enrol', 'a'])
  })

  test('does something else with an item that waited ten seconds, and ends a batch that hangs', async () => {
    let down = true
    const { env, writer, sent, aborted } = world((batch) => {
      if (down) throw new Error('down')
      return allDone(batch)
    })
    const told: string[] = []
    writer.push({
      item: record('late'),
      giveUp: () => {
        told.push('gave up')
        return record('instead')
      },
      done: () => void told.push('done'),
    })
    await env.advance(9_500)
    expect(told).toEqual([])
    await env.advance(2_000)
    expect(told).toEqual(['gave up'])
    down = false
    await env.advance(3_000)
    expect(told).toEqual(['gave up', 'done'])
    expect(sent.at(-1)).toEqual(['instead'])
    expect(aborted).toEqual([])
  })

  test('does something else at once when there is no time left', async () => {
    let down = true
    const { env, writer, sent } = world((batch) => {
      if (down) throw new Error('down')
      return allDone(batch)
    })
    writer.push({ item: record('late'), giveUp: () => record('instead') })
    writer.push({ item: record('must be') })
    await env.advance(500)
    writer.hurry()
    down = false
    await env.advance(3_000)
    expect(sent.at(-1)).toEqual(['instead', 'must be'])
  })

  test('does the other thing even when the first was on its way', async () => {
    const gate = Promise.withResolvers<void>()
    let first = true
    const { env, writer, sent, aborted } = world(async (batch) => {
      if (first) {
        first = false
        await gate.promise
      }
      return allDone(batch)
    })
    const told: string[] = []
    writer.push({ item: record('late'), giveUp: () => record('instead'), done: () => void told.push('done') })
    await env.advance(12_000)
    expect(aborted.length).toBeGreaterThan(0)
    gate.resolve()
    await env.flush()
    expect(sent).toEqual([['late'], ['instead']])
    expect(told).toEqual(['done'])
  })

  test('refuses what would make its queue longer than it may be', async () => {
    const never = new Promise<Applied>(() => {})
    const { writer } = world(() => never)
    for (let i = 0; i < 60_000; i++) writer.push({ item: { kind: 'beat' } })
    expect(writer.busy).toBe(true)
    expect(await refusalOf(() => writer.push({ item: { kind: 'beat' } }))).toBe('hub_unavailable')
    await writer.stop()
  })
})
