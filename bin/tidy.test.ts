import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Source, unpinned, untidy } from './tidy.ts'

const root = join(import.meta.dirname, '..')
const read = (...patterns: string[]): Source[] =>
  patterns
    .flatMap((pattern) => [...new Bun.Glob(pattern).scanSync({ cwd: root })])
    .filter((path) => !/(^|\/)(node_modules|dist)\//.test(path))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))

test('the house is tidy', () => {
  const rooms = ['bin', 'web', 'hub', 'host', 'db', 'sdk', 'sim', 'bench']
  const sources = read(...rooms.flatMap((room) => [`${room}/**/*.ts`, `${room}/**/*.tsx`]))
  expect(sources.map(({ path }) => path)).toContain('db/transaction.ts')
  expect(untidy(sources)).toEqual([])
})

test('every dependency is pinned', () => {
  const manifests = read('package.json', '*/package.json')
  expect(manifests.map(({ path }) => path)).toContain('sdk/package.json')
  expect(manifests.flatMap(({ path, text }) => unpinned(path, JSON.parse(text)))).toEqual([])
})

describe('what is not tidy is found:', () => {
  const rows: [string, Source[], string][] = [
    [
      'hub imports host',
      [{ path: 'hub/a.ts', text: `import { x } from '../host/b.ts'` }],
      'hub/a.ts:1  imports host/b.ts',
    ],
    ['sdk imports db', [{ path: 'sdk/a.ts', text: `\nexport { x } from '../db/open.ts'` }], 'sdk/a.ts:2'],
    [
      'a type is an import, too',
      [{ path: 'host/a.ts', text: `import type { X } from '../hub/log.ts'` }],
      'host/a.ts:1',
    ],
    [
      'an import over several lines',
      [{ path: 'db/a.ts', text: `import {\n  x,\n} from '../hub/log.ts'` }],
      'db/a.ts:3',
    ],
    ['an import at run time', [{ path: 'db/a.ts', text: `await import('../hub/log.ts')` }], 'db/a.ts:1'],
    ['ledger imports gateway', [{ path: 'hub/ledger/a.ts', text: `import '../gateway/b.ts'` }], 'left of hub/ledger'],
    [
      'hub gets a part without a place',
      [{ path: 'hub/new/a.ts', text: `import '../log.ts'` }],
      'no place in the order',
    ],
    ['the product imports a test kit', [{ path: 'hub/a.ts', text: `import '../db/testing.ts'` }], 'test kit'],
    ['a setting read in passing', [{ path: 'hub/ledger/a.ts', text: `x\nprocess.env.HOME` }], 'hub/ledger/a.ts:2'],
    ['a driver’s own transaction', [{ path: 'hub/ledger/a.ts', text: 'db.transaction(work)' }], '.transaction( has'],
    ['a clock', [{ path: 'host/a.ts', text: 'const at = Date.now()' }], 'Date.now has'],
    ['a timer', [{ path: 'hub/a.ts', text: 'setTimeout(work, 5)' }], 'setTimeout has'],
    ['a draw', [{ path: 'hub/a.ts', text: 'crypto.randomUUID()' }], 'randomUUID has'],
    ['an index', [{ path: 'hub/ledger/index.ts', text: '' }], 'index file'],
    ['a drawer', [{ path: 'hub/helpers.ts', text: '' }], 'says nothing'],
    [
      'a circle',
      [
        { path: 'db/a.ts', text: `import { b } from './b.ts'` },
        { path: 'db/b.ts', text: `import { type A, a } from './a.ts'` },
      ],
      'db/a.ts → db/b.ts → db/a.ts',
    ],
  ]
  test.each(rows)('%s', (_, sources, finding) => {
    expect(untidy(sources).join('\n')).toContain(finding)
  })

  test('a version that floats', () => {
    expect(unpinned('package.json', { dependencies: { a: '^1.0.0', b: '1.0.0' } })).toHaveLength(1)
  })
})

describe('what is tidy is left alone:', () => {
  const rows: [string, Source[]][] = [
    ['toward the right', [{ path: 'hub/gateway/a.ts', text: `import '../ledger/b.ts'\nimport '../log.ts'` }]],
    ['tests', [{ path: 'host/a.test.ts', text: `import '../hub/hub.ts'\nsetTimeout(work)\nprocess.env.X` }]],
    ['comments', [{ path: 'hub/ledger/a.ts', text: '// not Date.now()\n/* nor\n setTimeout() */' }]],
    ['a given date', [{ path: 'hub/ledger/a.ts', text: 'new Date(at).toISOString()' }]],
    [
      'types in a circle',
      [
        { path: 'db/a.ts', text: `import { b } from './b.ts'` },
        { path: 'db/b.ts', text: `import type { A } from './a.ts'\nimport { type B } from './a.ts'` },
      ],
    ],
  ]
  test.each(rows)('%s', (_, sources) => {
    expect(untidy(sources)).toEqual([])
  })
})
