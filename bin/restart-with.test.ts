import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

test('a program begins anew with a setting: once, as the same process, with the words and streams it had', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gpuhub-anew-'))
  const program = join(folder, 'program.ts')
  writeFileSync(
    program,
    `import { restartWith } from ${JSON.stringify(join(import.meta.dirname, 'gpuhub', 'restart-with.ts'))}
    console.error('begins')
    restartWith({ GPUHUB_ANEW: 'so', GPUHUB_OWN: 'default' }, process.env)
    console.log(JSON.stringify([process.pid, process.argv.slice(2), process.env.GPUHUB_ANEW, process.env.GPUHUB_OWN]))
    console.log(await Bun.stdin.text())`,
  )
  const words = ['serve', '', 'with a space', 'größer', '"$HOME"']
  const child = Bun.spawn([process.execPath, '--no-env-file', program, ...words], {
    env: { PATH: process.env.PATH, GPUHUB_OWN: 'the owner’s' },
    stdio: [Buffer.from('what was piped in'), 'pipe', 'pipe'],
  })
  const [out, said] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  rmSync(folder, { recursive: true })
  expect([await child.exited, said]).toEqual([0, 'begins\nbegins\n'])
  expect(out.trim().split('\n')).toEqual([JSON.stringify([child.pid, words, 'so', 'the owner’s']), 'what was piped in'])
})
