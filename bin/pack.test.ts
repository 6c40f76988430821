import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { chatChunk, events, refusal, standIn, stream } from '../sdk/stand-in.ts'
import { packSdk } from './pack.ts'

// Packed once, as for publishing, and installed into a folder outside the repository.
let home = ''
let installed = ''

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'gpuhub-sdk-'))
  const { tarball } = await packSdk(home)
  installed = join(home, 'node_modules/@gpuhub/sdk')
  await shell(['mkdir', '-p', installed])
  await shell(['tar', '-xzf', tarball, '-C', installed, '--strip-components=1'])
  await Bun.write(join(home, 'package.json'), '{"type":"module"}')
}, 60_000)

afterAll(() => rm(home, { recursive: true, force: true }))

test('the package holds the client, its types and its papers, and nothing of the hub', async () => {
  const modules =
    'account answer chat codes completions errors exchange gpuhub index models receipts request stream'.split(' ')
  const files = modules.flatMap((name) => [`${name}.d.ts`, `${name}.js`])
  expect((await readdir(installed, { recursive: true })).sort()).toEqual(
    [...files, 'LICENSE', 'README.md', 'package.json'].sort(),
  )
})

test('its manifest has one door, types included, and no dependency', async () => {
  const manifest = await Bun.file(join(installed, 'package.json')).json()
  expect(Object.keys(manifest).sort()).toEqual(
    'description engines exports files keywords license name sideEffects type version'.split(' '),
  )
  expect(manifest).toMatchObject({
    name: '@gpuhub/sdk',
    type: 'module',
    exports: { '.': { types: './index.d.ts', default: './index.js' } },
    sideEffects: false,
  })
})

test('no file imports anything but its neighbours, so that every runtime can load it', async () => {
  for (const file of await readdir(installed)) {
    if (!/\.(js|d\.ts)$/.test(file)) continue
    const text = await Bun.file(join(installed, file)).text()
    for (const [, from] of text.matchAll(/(?:\bfrom\s+|\bimport\s*\(?\s*)['"]([^'"]+)['"]/g)) {
      if (from === '@gpuhub/sdk') continue // An example.
      expect([file, from]).toEqual([file, expect.stringMatching(/^\.\/[a-z]+\.js$/)])
    }
  }
})

const visitor = `
import { GpuHub, PaymentRequiredError } from '@gpuhub/sdk'
const hub = new GpuHub()
const question = { model: 'test/echo', messages: [{ role: 'user', content: 'Hello!' }] }
const stream = await hub.chat.completions.create({ ...question, stream: true })
const said = [stream.requestId, stream.price.completion]
for await (const chunk of stream) said.push(chunk.choices[0]?.delta.content)
for await (const chunk of await hub.chat.completions.create({ ...question, stream: true })) break
const failure = await hub.balance().catch((error) => error)
said.push(failure instanceof PaymentRequiredError, failure.name)
console.log(JSON.stringify(said))
`
const runtimes = [
  ['Node', Bun.which('node')],
  ['Bun', process.execPath],
] as const

test.each(runtimes)('%s installs it and streams an answer', async (_, runtime) => {
  if (!runtime) throw new Error('this test needs Node 20 or later in the PATH')
  const bytes = new TextEncoder().encode(`: hi\n\n${events(chatChunk('Grüße 🦊'), '[DONE]')}`)
  const answer = stream([...bytes].map((byte) => Uint8Array.of(byte)))
  const endless = stream([events(chatChunk('…'))], { open: true })
  using hub = standIn(refusal('no_capacity'), answer, endless, refusal('insufficient_quota'))
  await Bun.write(join(home, 'visitor.js'), visitor)
  const printed = await shell([runtime, 'visitor.js'], { GPUHUB_BASE_URL: `${hub.url}/v1`, GPUHUB_API_KEY: 'gh_test' })
  expect(JSON.parse(printed)).toEqual(['req_1', '0.20', 'Grüße 🦊', true, 'PaymentRequiredError'])
  expect(hub.asked).toHaveLength(4)
})

test('the examples of its README compile against its types', async () => {
  const readme = await Bun.file(join(installed, 'README.md')).text()
  const examples = [...readme.matchAll(/^```ts\n(.*?)^```/gms)].map(([, code = '']) => code)
  expect(examples.length).toBeGreaterThan(5)
  await Bun.write(join(home, 'world.d.ts'), 'declare const process: { stdout: { write(text: string): void } }\n')
  const prelude = `import { GpuHub, type ChatMessage } from '@gpuhub/sdk'
const hub = new GpuHub()
const model: string = 'Qwen/Qwen3-8B'
const messages: ChatMessage[] = []\n`
  for (const [i, code] of examples.entries()) {
    await Bun.write(join(home, `example-${i}.ts`), code.includes('import ') ? code : `${prelude}${code}`)
  }
  const compilerOptions = { module: 'NodeNext', target: 'ES2022', lib: ['ES2022', 'DOM'], types: [], strict: true }
  await Bun.write(
    join(home, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: { ...compilerOptions, noEmit: true }, include: ['*.ts'] }),
  )
  await shell([process.execPath, '--bun', resolve(import.meta.dir, '../node_modules/.bin/tsc'), '-p', home])
})

/** Runs a command in the visitor's folder and returns what it printed. */
async function shell(command: string[], environment: Record<string, string> = {}): Promise<string> {
  const child = Bun.spawn(command, { cwd: home, env: { ...Bun.env, ...environment }, stdout: 'pipe', stderr: 'pipe' })
  const [printed, complained] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  if ((await child.exited) !== 0) throw new Error(`${command.join(' ')} failed:\n${printed}${complained}`)
  return printed
}
