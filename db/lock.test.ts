import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lockFile } from './lock.ts'

/** A program of its own that takes the lock, says whether it could, and does nothing more. */
function another(path: string) {
  const source = `const { lockFile } = await import(${JSON.stringify(join(import.meta.dirname, 'lock.ts'))})
    // Kept, or the collector would let it go.
    globalThis.lock = lockFile(${JSON.stringify(path)})
    console.log(globalThis.lock ? 'mine' : 'taken')
    setInterval(() => {}, 1_000)`
  return Bun.spawn(['bun', '-e', source], { stdout: 'pipe', stderr: 'inherit' })
}

async function said({ stdout }: ReturnType<typeof another>): Promise<string> {
  for await (const bytes of stdout) return new TextDecoder().decode(bytes).trim()
  return ''
}

test('one program at a time has a database file, until it lets go or dies', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gpuhub-lock-'))
  const path = join(folder, 'hub.db.lock')
  const mine = lockFile(path)
  expect(mine).not.toBeNull()
  const late = another(path)
  expect(await said(late)).toBe('taken')
  late.kill('SIGKILL')
  mine?.release()
  const next = another(path)
  expect(await said(next)).toBe('mine')
  expect(lockFile(path)).toBeNull()
  next.kill('SIGKILL')
  await next.exited
  lockFile(path)!.release()
  rmSync(folder, { recursive: true })
})
