import { expect, test } from 'bun:test'
import { join } from 'node:path'

/** What a program that logs has written by its end. */
async function written(program: string): Promise<string[]> {
  const from = `import { createLog } from ${JSON.stringify(join(import.meta.dirname, 'log.ts'))}\n`
  const child = Bun.spawn([process.execPath, '-e', `${from}const log = createLog({ json: true })\n${program}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const lines = (await new Response(child.stderr).text()).trim().split('\n')
  return lines.map((line) => (JSON.parse(line) as { event: string }).event)
}

test('every line is written, in order, however the program ends', async () => {
  const many = `for (let i = 0; i < 3000; i++) log.info(String(i))\n`
  const all = Array.from({ length: 3_000 }, (_, i) => String(i))
  expect(await written(many)).toEqual(all)
  expect(await written(`${many}process.exit(3)`)).toEqual(all)
  expect(await written(`log.info('before')\nlog.error('wrong')\nlog.info('after')\nprocess.exit(1)`)).toEqual([
    'before',
    'wrong',
    'after',
  ])
})

test('what is wrong is written at once, after what came before it', async () => {
  expect(await written(`log.info('before')\nlog.warn('wrong')\nprocess.kill(process.pid, 'SIGKILL')`)).toEqual([
    'before',
    'wrong',
  ])
})
