import { afterAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { ask, type Change, commitMessage, documents, edited, TRAILER, whyNot } from './upkeep.ts'

const change: Change = { files: ['hub/config.ts'], diff: '+ a setting', message: 'config: a setting' }

describe('a change is asked about', () => {
  test.each([
    [['hub/config.ts'], true],
    [['sdk/gpuhub.ts', 'docs/errors.md'], true],
    [['host/commands/start.ts'], true],
    [['README.md', 'docs/errors.md'], false],
    [['sdk/gpuhub.test.ts', 'hub/testing.ts'], false],
    [['hub/ledger/writer.ts'], false],
  ])('%p: %p', (files, asked) => {
    expect(whyNot({ ...change, files }) === null).toBe(asked)
  })

  test('never when it is an edit of ours', () => {
    expect(whyNot({ ...change, message: commitMessage({ edits: [], title: 'x', body: 'y' }, 'abc') })).toContain(
      'itself',
    )
  })
})

describe('with a stand-in for the Claude API', () => {
  const seen: { headers: Headers; body: { model: string; tool_choice: unknown; messages: { content: string }[] } }[] =
    []
  let answer: () => Response = () => new Response()
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      if (new URL(request.url).pathname !== '/v1/messages' || request.method !== 'POST')
        return new Response('', { status: 404 })
      seen.push({ headers: request.headers, body: (await request.json()) as (typeof seen)[number]['body'] })
      return answer()
    },
  })
  afterAll(() => server.stop(true))
  const at = { key: 'sk-test', url: `http://127.0.0.1:${server.port}`, model: 'claude-test' }
  const texts = new Map([['README.md', 'one two three']])
  const proposes = (input: unknown) =>
    Response.json({
      role: 'assistant',
      stop_reason: 'tool_use',
      content: [{ type: 'tool_use', id: 't', name: 'propose', input }],
    })

  test('documents and change are sent, and the proposal comes back', async () => {
    const proposal = { edits: [{ path: 'README.md', find: 'two', replace: '2' }], title: 'docs: say 2', body: 'Why.' }
    answer = () => proposes(proposal)
    expect(await ask(change, texts, at)).toEqual(proposal)
    const { headers, body } = seen.at(-1)!
    expect([headers.get('x-api-key'), headers.get('anthropic-version'), body.model]).toEqual([
      'sk-test',
      '2023-06-01',
      'claude-test',
    ])
    expect(body.messages[0]?.content).toContain('<document path="README.md">\none two three')
    expect(body.messages[0]?.content).toContain('+ a setting')
  })

  test.each([
    ['an error', () => new Response('overloaded', { status: 529 }), '529'],
    ['only words', () => Response.json({ content: [{ type: 'text', text: 'Sure.' }] }), 'without a proposal'],
    ['something else', () => proposes({ edits: 'all' }), 'without a proposal'],
  ])('%s is refused', async (_, given, why) => {
    answer = given
    expect(await ask(change, texts, at).then(String, String)).toContain(why)
  })
})

describe('an edit', () => {
  const texts = new Map([
    ['README.md', 'one two two'],
    ['docs/a.md', 'a'],
  ])
  test('replaces exactly one place; several in one file follow each other', () => {
    const edits = [
      { path: 'README.md', find: 'one', replace: '$& 1' },
      { path: 'README.md', find: '$& 1 two two', replace: 'done' },
    ]
    expect([...edited(texts, edits)]).toEqual([['README.md', 'done']])
  })
  test.each([
    ['of no document', { path: '.github/workflows/ci.yml', find: 'a', replace: 'b' }],
    ['that climbs', { path: '../README.md', find: 'one', replace: 'b' }],
    ['that fits twice', { path: 'README.md', find: 'two', replace: 'b' }],
    ['that fits nowhere', { path: 'README.md', find: 'three', replace: 'b' }],
    ['of nothing', { path: 'README.md', find: '', replace: 'b' }],
    ['that is very long', { path: 'docs/a.md', find: 'a', replace: 'b'.repeat(9_000) }],
  ])('%s is refused, and nothing is edited', (_, edit) => {
    expect(() => edited(texts, [edit])).toThrow(edit.path)
  })
})

test('the commit says why, in one short subject, and is marked as ours', () => {
  const message = commitMessage({ edits: [], title: `name ${'x'.repeat(100)}\nmore`, body: ' because ' }, 'abc')
  expect(message.split('\n')[0]?.length).toBeLessThanOrEqual(72)
  expect(message).toEndWith(`because\n\n${TRAILER} abc\n`)
})

test('the documents of this repository are found', () => {
  expect([...documents(join(import.meta.dirname, '..')).keys()]).toContain('docs/quickstart.md')
})
