import { expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const page = readFileSync(join(root, 'docs/reliability.md'), 'utf8')
const rows = page.split('\n').flatMap((line) => /^\| (\d+) \| (.*) \|(.*)\|$/.exec(line)?.slice(1) ?? [])
const numbered = Array.from({ length: rows.length / 3 }, (_, at) => rows.slice(3 * at, 3 * at + 3))

/** `path` “name”, “another name” */
const NAMED = /`([\w./-]+\.test\.tsx?)` ((?:“[^”]+”(?:, )?)+)/g

/** What the page names and no file has. */
function missing(text: string): string[] {
  return [...text.matchAll(NAMED)].flatMap(([, path = '', names = '']) => {
    const file = join(root, path)
    if (!existsSync(file)) return [path]
    const source = readFileSync(file, 'utf8')
    const named = [...names.matchAll(/“([^”]+)”/g)].map(([, name]) => name ?? '')
    return named.filter((name) => !source.includes(`'${name}'`)).map((name) => `${path}: ${name}`)
  })
}

test('every row of the page on reliability names tests that exist, or says that there is none', () => {
  expect(numbered.map(([number]) => Number(number))).toEqual(Array.from({ length: 77 }, (_, at) => at + 1))
  for (const [number, what = '', shownBy = ''] of numbered)
    expect([number, shownBy.includes('.test.ts`') || what.includes('**not yet**')]).toEqual([number, true])
  expect(missing(page)).toEqual([])
})

test('a test that is named and does not exist is found', () => {
  expect(missing('`bin/tidy.test.ts` “the house is tidy”, “no such test”; `no/such.test.ts` “x”')).toEqual([
    'bin/tidy.test.ts: no such test',
    'no/such.test.ts',
  ])
})
