import { afterAll, beforeAll, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const dist = process.env.GPUHUB_DIST ?? join(import.meta.dirname, '..', 'dist')
let folder: string

/** A folder that would take over a careless program: settings and code that nobody asked for. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gpuhub-hostile-'))
  writeFileSync(join(folder, '.env'), 'GPUHUB_PORT=1\nGPUHUB_FEE_PPM=900000\nGPUHOST_TOKEN=stolen\n')
  writeFileSync(join(folder, 'bunfig.toml'), 'preload = ["./evil.ts"]\n')
  writeFileSync(
    join(folder, 'evil.ts'),
    `require('node:fs').writeFileSync(${JSON.stringify(join(folder, 'EVIL'))}, '')\n`,
  )
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function run(program: 'gpuhub' | 'gpuhost', ...words: string[]) {
  const child = Bun.spawn([join(dist, program), ...words], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: folder },
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [out, said] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  return { code: await child.exited, out, said }
}

test.each(['gpuhub', 'gpuhost'] as const)('%s says its version and how it is used', async (program) => {
  expect((await run(program, 'version')).out).toContain(program)
  expect(await run(program, '--help')).toMatchObject({ code: 0 })
  expect(await run(program, 'no-such-command')).toMatchObject({ code: 2 })
})

test('one binary shows the whole thing: a hub, two hosts, a paid answer, its receipt, the books', async () => {
  const { code, out, said } = await run('gpuhub', 'demo', '--once')
  expect(said).toMatch(/cost +\$0\.0000\d+/)
  expect(said).toMatch(/fee +\$0\.00000\d+/)
  expect(said).toContain('right: 2 postings')
  expect(out.length).toBeGreaterThan(100)
  expect(code).toBe(0)
}, 60_000)

test('nothing in the folder they were started in was obeyed, and nothing was left there', () => {
  expect(existsSync(join(folder, 'EVIL'))).toBe(false)
  expect(readdirSync(folder).sort()).toEqual(['.env', 'bunfig.toml', 'evil.ts'])
})
