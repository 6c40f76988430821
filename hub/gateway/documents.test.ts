// What docs/limits.md and docs/errors.md say is what the code does.
import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ErrorCode, errorCodes, errorKind, isErrorCode } from '../../sdk/codes.ts'
import { limits } from '../../sdk/openai.ts'
import { settings } from '../config.ts'

const page = (name: string) => readFileSync(join(import.meta.dirname, '..', '..', 'docs', name), 'utf8')
const cells = (line: string) =>
  line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim())
const rowsOf = (text: string) =>
  text
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map(cells)

describe('docs/errors.md', () => {
  const rows = rowsOf(page('errors.md')).filter(([code]) => code?.startsWith('`'))
  const word = (cell = '') => cell.replaceAll('`', '')

  test('has every code once, in the order of their status', () => {
    expect(rows.map(([code]) => word(code)).sort()).toEqual(Object.keys(errorCodes).sort())
    const statuses = rows.map(([, status]) => Number(status))
    expect(statuses).toEqual([...statuses].sort((a, b) => a - b))
  })

  test.each(rows.map((row) => [word(row[0]), row] as const))('%s', (name, [, status, type, retried]) => {
    if (!isErrorCode(name)) throw new Error(`there is no code ${name}`)
    const kind = errorKind(name)
    expect([Number(status), word(type)]).toEqual([kind.status, kind.type])
    expect(retried).toBe(retriedOf(name))
  })

  function retriedOf(code: ErrorCode): string {
    const { status, retry, retryAfter } = errorKind(code)
    if (retry === false || !(status === 408 || status === 409 || status === 429 || status >= 500)) return 'no'
    return retryAfter === undefined ? 'yes' : `after ${retryAfter} s`
  }
})

describe('docs/limits.md', () => {
  const text = page('limits.md')
  const rows = rowsOf(text)
  const known = new Map(settings().map((setting) => [setting.env, setting.fallback]))

  test('names the defaults that hold', () => {
    for (const row of rows) {
      const names = row.flatMap((cell) => [...cell.matchAll(/`(GPUHUB_\w+)`/g)].map((match) => match[1]!))
      for (const name of names) {
        const fallback = known.get(name)
        const shown = row[1] === 'none' ? 0 : row[1] === 'any' ? '' : Number(row[1])
        expect([name, shown]).toEqual([name, fallback as number | string])
      }
    }
  })

  test('names every setting that is a limit', () => {
    const all = [...known.keys()].filter((name) =>
      /_(RPM|TPM|CONCURRENCY|FACTOR|SECONDS|MINUTES|PER_MINUTE|MAX_RUNNING|ATTEMPTS|ALLOWED_HOSTS)$/.test(name),
    )
    expect(all.length).toBeGreaterThan(15)
    for (const name of all) if (name !== 'GPUHUB_GRACE_SECONDS') expect(text).toContain(`\`${name}\``)
  })

  test('names only codes that exist', () => {
    const codes = [...text.matchAll(/\b[2345]\d\d `(\w+)`/g)].map((match) => match[1]!)
    expect(codes.length).toBeGreaterThan(20)
    for (const code of codes) {
      if (!isErrorCode(code)) throw new Error(`there is no code ${code}`)
      expect(text).toContain(`${errorKind(code).status} \`${code}\``)
    }
  })

  test.each([
    ['body', `${limits.bodyBytes / 2 ** 20} MiB`],
    ['nesting', `${limits.depth} levels`],
    ['values', limits.nodes.toLocaleString('en')],
    ['messages', limits.messages.toLocaleString('en')],
    ['`tools`', String(limits.tools)],
    ['`n`', String(limits.n)],
    ['`stop`', `${limits.stops} of ${limits.stopChars} characters`],
    ["one JSON schema (a tool's, a response format's)", `${limits.schemaChars / 1024} KB`],
    ['one `pattern` in it', `${limits.patternChars.toLocaleString('en')} characters`],
  ])('%s', (name, value) => {
    expect(rows.find(([first]) => first === name)?.[1]).toBe(value)
  })
})
