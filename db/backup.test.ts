import { afterEach, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { backup, restore } from './backup.ts'
import { migrate } from './migrate.ts'
import { openDb } from './open.ts'

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

/** A hub's file with one user, open as a running hub has it. */
async function world() {
  const folder = mkdtempSync(join(tmpdir(), "gpuhub-backup's-"))
  folders.push(folder)
  const db = await openDb(`sqlite:${join(folder, 'hub.db')}`)
  await migrate(db)
  await db.query.insert(db.tables.users).values({ id: 'u', email: 'ada@example.com', roles: ['client'], createdAt: 1 })
  return { db, file: join(folder, 'safe.backup'), path: join(folder, 'restored.db') }
}
const enclosed = { secret: 's'.repeat(64), version: '0.1.0', at: 5 }
const refusal = (work: () => unknown) => {
  try {
    work()
    return 'accepted'
  } catch (error) {
    return String(error)
  }
}

test('a backup of a running hub comes back with its rows and its secret', async () => {
  const { db, file, path } = await world()
  await backup(db, file, enclosed)
  expect(restore(file, path)).toEqual(enclosed)
  const restored = await openDb(`sqlite:${path}`)
  expect(await migrate(restored)).toEqual([])
  expect(await restored.query.select().from(restored.tables.users)).toEqual(
    await db.query.select().from(db.tables.users),
  )
  expect(await restored.query.$count(restored.tables.keys)).toBe(0)
  await restored.close()
  await db.close()
})

test('neither a backup nor a restore writes over a file', async () => {
  const { db, file } = await world()
  writeFileSync(file, 'precious')
  expect(await backup(db, file, enclosed).catch(String)).toContain('exists already')
  expect(refusal(() => restore(file, file))).toContain('exists already')
  expect(readFileSync(file, 'utf8')).toBe('precious')
  await db.close()
})

test('a file that is no backup, or a damaged one, is refused and leaves nothing', async () => {
  const { db, file, path } = await world()
  await backup(db, file, enclosed)
  writeFileSync(`${file}.text`, 'hello, this is not a database at all, whatever its name says')
  expect(refusal(() => restore(`${file}.text`, path))).toContain('no backup')
  await db.exec(`VACUUM INTO '${`${file}.plain`.replaceAll("'", "''")}'`)
  expect(refusal(() => restore(`${file}.plain`, path))).toContain('no backup')
  writeFileSync(`${file}.short`, readFileSync(file).subarray(0, 8_192))
  expect(refusal(() => restore(`${file}.short`, path))).toContain('damaged')
  expect(refusal(() => readFileSync(path))).toContain('ENOENT')
  await db.close()
})
