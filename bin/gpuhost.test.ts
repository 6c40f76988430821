// The real program, as its owner runs it, against a hub and an engine on real ports.
import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { startServer } from '../host/engine/testing.ts'
import { fakeMachine, machines } from '../host/hardware/testing/machines.ts'
import { startHub } from '../host/tunnel/testing.ts'
import { until } from '../sdk/testing.ts'
import { closeCode, kind } from '../sdk/wire/frames.ts'

// Each test starts several processes, which takes its time on a busy machine.
setDefaultTimeout(60_000)

const program = [process.execPath, join(import.meta.dir, 'gpuhost.ts')]
const TOKEN = 'gpuhost-secret-token'
const chat = { model: 'Qwen/Qwen3-8B', stream: true, messages: [{ role: 'user', content: 'my secret prompt' }] }

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

interface Started {
  home: string
  hub: ReturnType<typeof startHub>
  link: ReturnType<ReturnType<typeof startHub>['last']>
  pid: number
}

/** From now on every line of the agent's log finds no room. */
function fillDisk(home: string): void {
  const log = join(home, 'gpuhost.log')
  rmSync(log)
  symlinkSync('/dev/full', log)
}

function world(options: Parameters<typeof startHub>[0] = {}, { hanging = false } = {}) {
  const home = mkdtempSync(join(tmpdir(), 'gpuhost-'))
  const hub = startHub(options)
  const never = new Response(new ReadableStream({ pull: () => new Promise(() => {}) }))
  const engine = startServer(hanging ? { complete: (_, body) => (body.hang ? never : undefined) } : {})
  cleanups.push(
    () => rmSync(home, { recursive: true, force: true }),
    () => hub.close(),
    () => engine.close(),
  )
  const flags = ['--hub', hub.url, '--model', 'Qwen/Qwen3-8B', '--engine-url', engine.url]
  return { home, hub, engine, flags }
}

function spawn(
  home: string,
  args: string[],
  variables: Record<string, string> = { GPUHOST_TOKEN: TOKEN },
  command = program,
) {
  const child = Bun.spawn([...command, ...args], {
    env: { PATH: process.env.PATH, HOME: home, GPUHOST_HOME: home, ...variables },
    stdout: 'pipe',
    stderr: 'pipe',
    stdin: 'ignore',
  })
  // Only if a test went wrong is it still there.
  cleanups.push(() => child.kill('SIGKILL'))
  return child
}

async function gpuhost(home: string, args: string[], variables?: Record<string, string>) {
  const child = spawn(home, args, variables)
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  return { code: await child.exited, stdout, stderr }
}

async function status(home: string): Promise<{ state: string; pid?: number; requests?: number }> {
  return JSON.parse((await gpuhost(home, ['status', '--json'])).stdout)
}

describe('gpuhost start --foreground', () => {
  test('serves requests over its link, and SIGTERM lets them finish first', async () => {
    const { home, hub, engine, flags } = world()
    const child = spawn(home, ['start', '--foreground', ...flags, '--simulate-gpu', 'RTX 4090', '--name', 'attic'])
    const link = await until('the host is linked', () => hub.links.find((one) => one.hello()))
    expect(link.token).toBe(TOKEN)
    expect(link.hello()).toMatchObject({
      name: 'attic',
      state: 'ready',
      hardware: { simulated: true, gpus: [{ name: 'NVIDIA RTX 4090' }] },
      serving: [{ model: 'Qwen/Qwen3-8B', tokenIds: true, contextTokens: 4_096 }],
    })
    link.ask(1, chat)
    await until('two chunks have come', () => link.on(1).text.includes('two'))
    expect(await status(home)).toMatchObject({ state: 'serving', pid: child.pid, requests: 1 })
    child.kill('SIGTERM')
    await until('the hub knows', () => link.statuses().includes('draining'))
    link.ask(2, chat)
    await until('a new request is refused', () => link.on(2).fail)
    expect(link.on(2).fail).toMatchObject({ class: 'refused', code: 'draining' })
    expect(link.on(1).end).toBeUndefined()
    engine.finish()
    expect(await child.exited).toBe(0)
    expect(link.on(1)).toMatchObject({ text: 'data: one\n\ndata: two\n\ndata: [DONE]\n\n', end: { attempt: 1 } })
    expect(link.closedWith?.code).toBe(closeCode.stopping)
    const log = await new Response(child.stderr).text()
    expect(log).toContain('"message":"stopped"')
    expect(log).not.toContain(TOKEN)
    expect(log).not.toContain('secret')
  })

  test('with a simulated card and no engine it serves an emulated one', async () => {
    const { home, hub } = world()
    spawn(home, ['start', '--foreground', '--hub', hub.url, '--model', 'Qwen/Qwen3-8B', '--simulate-gpu', 'RTX 4090'])
    const link = await until('the host is linked', () => hub.links.find((one) => one.hello()))
    expect(link.hello()).toMatchObject({
      hardware: { simulated: true },
      serving: [{ model: 'Qwen/Qwen3-8B', tokenIds: true }],
    })
    link.ask(1, { ...chat, max_tokens: 8, return_token_ids: true })
    await until('the answer has ended', () => link.on(1).end)
    expect(link.on(1).answer?.status).toBe(200)
    expect(link.on(1).text).toContain('"token_ids"')
    expect(link.on(1).text).toEndWith('data: [DONE]\n\n')
  })

  test('a second signal hands running requests back at once', async () => {
    const { home, hub, engine, flags } = world()
    const child = spawn(home, ['start', '--foreground', ...flags])
    const link = await until('the host is linked', () => hub.links.find((one) => one.hello()))
    link.ask(1, chat)
    await until('two chunks have come', () => link.on(1).text.includes('two'))
    child.kill('SIGINT')
    await until('the hub knows', () => link.statuses().includes('draining'))
    child.kill('SIGINT')
    expect(await child.exited).toBe(0)
    expect(link.on(1).fail).toMatchObject({ class: 'host', code: 'stopping' })
    await until('the engine was told', () => engine.aborted === 1)
  })

  test('what has not finished when the grace is over is handed back', async () => {
    const { home, hub, flags } = world()
    const child = spawn(home, ['start', '--foreground', ...flags, '--grace', '1'])
    const link = await until('the host is linked', () => hub.links.find((one) => one.hello()))
    link.ask(1, chat)
    await until('a chunk has come', () => link.on(1).bytes > 0)
    child.kill('SIGTERM')
    expect(await child.exited).toBe(0)
    expect(link.statuses()).toEqual(['draining'])
    expect(link.on(1).fail).toMatchObject({ class: 'host', code: 'stopping' })
  })

  test('a newer program on disk takes over when the hub wishes for it, after what runs has ended (F-update)', async () => {
    const { home, hub, engine, flags } = world()
    const path = join(home, 'program.ts')
    const source = `import ${JSON.stringify(join(import.meta.dir, 'gpuhost.ts'))}\n`
    writeFileSync(path, source)
    const child = spawn(home, ['start', '--foreground', ...flags], undefined, [process.execPath, path])
    const link = await until('the host is linked', () => hub.links.find((one) => one.hello()))
    link.ask(1, chat)
    await until('a chunk has come', () => link.on(1).bytes > 0)
    const wish = { type: 'wish', epoch: 1, wish: 'update', reason: 'test' } as const
    link.say(wish)
    // It has looked, and found nothing, once it answers again.
    expect(await status(home)).toMatchObject({ state: 'serving' })
    writeFileSync(path, `${source}// newer\n`)
    link.say(wish)
    await until('it drains', () => link.statuses().includes('draining'))
    engine.finish()
    await until('the newer program is linked', () => hub.links.length === 2 && hub.last().hello())
    expect(link.on(1).end).toBeDefined()
    expect(link.closedWith?.code).toBe(closeCode.stopping)
    expect(await status(home)).toMatchObject({ state: 'serving', pid: child.pid })
    const [older, newer] = hub.links.map((one) => one.hello())
    expect(newer?.machine).toBe(older?.machine ?? 'none')
    expect(newer?.run).not.toBe(older?.run)
    child.kill('SIGTERM')
    expect(await child.exited).toBe(0)
  })

  test('a cancel from the hub reaches the engine', async () => {
    const { home, hub, engine, flags } = world()
    spawn(home, ['start', '--foreground', ...flags])
    const link = await until('the host is linked', () => hub.links.find((one) => one.hello()))
    link.ask(1, chat)
    await until('a chunk has come', () => link.on(1).bytes > 0)
    link.send(1, kind.cancel)
    await until('the engine was told', () => engine.aborted === 1)
  })

  test('an answer nobody takes costs neither memory nor the other streams', async () => {
    const { home, hub, engine, flags } = world()
    spawn(home, ['start', '--foreground', ...flags])
    const link = await until('the host is linked', () => hub.links.find((one) => one.hello()))
    link.ask(1, { flood: true })
    await until('the window is used up', () => link.on(1).bytes === 65_536)
    link.ask(2, chat)
    await until('the other stream flows', () => link.on(2).text.includes('two'))
    let before = -1
    await until('the engine stands still', async () => {
      const still = engine.written === before
      before = engine.written
      await Bun.sleep(150)
      return still
    })
    expect(link.on(1).bytes).toBe(65_536)
    link.credit(1, 1_000)
    await until('the credit is used', () => link.on(1).bytes === 66_536)
  })

  test('more requests run at a time than the runtime allows by default', async () => {
    const { home, hub, engine, flags } = world()
    spawn(home, ['start', '--foreground', ...flags])
    const link = await until('the host is linked', () => hub.links.find((one) => one.hello()))
    const streams = Array.from({ length: 400 }, (_, at) => at + 1)
    for (const stream of streams) link.ask(stream, chat)
    await until('all have begun', () => streams.every((stream) => link.on(stream).bytes > 0))
    engine.finish()
    await until('all have ended', () => streams.every((stream) => link.on(stream).end))
  })

  test('is linked again after its hub was gone', async () => {
    const { home, hub, engine, flags } = world()
    spawn(home, ['start', '--foreground', ...flags])
    const link = await until('the host is linked', () => hub.links.find((one) => one.hello()))
    link.ask(1, chat)
    await until('a chunk has come', () => link.on(1).bytes > 0)
    link.socket.close(1001, 'restart')
    await until('it is linked again', () => hub.links.length === 2 && hub.last().hello())
    await until('the lost link’s work was stopped', () => engine.aborted === 1)
  })

  test.each([
    ['unknown', { greet: undefined, status: 401 }, 1, 'does not know this token'],
    [
      'of a host that only pretends',
      {
        greet: (hub: ReturnType<ReturnType<typeof startHub>['last']>) =>
          hub.say({ type: 'refused', code: 'simulated_not_allowed', message: 'Real cards only.', retry: false }),
      },
      3,
      'Real cards only.',
    ],
  ])('a token that is %s ends it with the reason', async (_, options, code, why) => {
    const { home, flags } = world(options as Parameters<typeof startHub>[0])
    const ended = await gpuhost(home, ['start', '--foreground', ...flags])
    expect(ended).toMatchObject({ code, stdout: '' })
    expect(ended.stderr).toContain(why)
    expect(ended.stderr).not.toContain(TOKEN)
  })
})

describe('gpuhost in the background', () => {
  test('start, status and stop, as an owner uses them', async () => {
    const { home, hub, flags } = world()
    // As an argument here, to see that it goes no further.
    const started = await gpuhost(home, ['start', '--json', ...flags, '--token', TOKEN], {})
    expect(started.stderr).toBe('')
    const { pid, state } = JSON.parse(started.stdout)
    cleanups.push(() => alive(pid) && process.kill(pid, 'SIGKILL'))
    expect([started.code, state]).toEqual([0, 'serving'])
    expect(hub.last().token).toBe(TOKEN)
    const shownToAll = Bun.spawnSync(['ps', '-o', 'args=', '-p', String(pid)]).stdout.toString()
    expect(shownToAll).toContain('--foreground')
    expect(shownToAll).not.toContain(TOKEN)
    expect(statSync(join(home, 'control.sock')).mode & 0o777).toBe(0o600)

    const again = await gpuhost(home, ['start', ...flags])
    expect(again).toMatchObject({ code: 1, stdout: '' })
    expect(again.stderr).toContain(`already running (process ${pid}, serving)`)
    const insisting = await gpuhost(home, ['start', '--foreground', ...flags])
    expect(insisting).toMatchObject({ code: 1 })
    expect(insisting.stderr).toContain('already running')

    const shown = await gpuhost(home, ['status'])
    expect(shown.stdout).toMatch(/^state +serving$/m)
    expect(shown.stdout).toMatch(/^hub +ws:\/\/127\.0\.0\.1:\d+\/hosts\/link {2}linked as host_1 for \d+ s$/m)
    expect(shown.stdout).toMatch(/^model +Qwen\/Qwen3-8B {2}vllm, 4096 tokens, 16 requests at a time$/m)

    hub.last().ask(1, chat)
    await until('a chunk has come', () => hub.last().on(1).bytes > 0)
    const stopped = await gpuhost(home, ['stop', '--now', '--json'])
    expect(JSON.parse(stopped.stdout)).toEqual({ state: 'stopped', wasRunning: true })
    expect(hub.last().on(1).fail).toMatchObject({ class: 'host', code: 'stopping' })
    await until('the process is gone', () => !alive(pid))
    expect(await status(home)).toEqual({ state: 'stopped' })
    expect((await gpuhost(home, ['stop'])).stdout).toBe('gpuhost was not running\n')
    const log = readFileSync(join(home, 'gpuhost.log'), 'utf8').trim().split('\n')
    expect(log.map((line) => JSON.parse(line).message)).toContain('stopped')
    expect(log.join()).not.toMatch(/secret/)
  })

  test('a stop waits for what runs', async () => {
    const { home, hub, engine, flags } = world()
    await gpuhost(home, ['start', ...flags])
    const link = hub.last()
    link.ask(1, chat)
    await until('a chunk has come', () => link.on(1).bytes > 0)
    const stopping = gpuhost(home, ['stop'])
    await until('the hub knows', () => link.statuses().includes('draining'))
    expect(await status(home)).toMatchObject({ state: 'draining', requests: 1 })
    engine.finish()
    expect((await stopping).code).toBe(0)
    expect(link.on(1).end).toBeDefined()
    expect(await status(home)).toEqual({ state: 'stopped' })
  })

  test('a stop waits no longer than its own grace', async () => {
    const { home, hub, flags } = world()
    await gpuhost(home, ['start', ...flags])
    hub.last().ask(1, chat)
    await until('a chunk has come', () => hub.last().on(1).bytes > 0)
    expect((await gpuhost(home, ['stop', '--grace', '1'])).code).toBe(0)
    expect(hub.last().on(1).fail).toMatchObject({ class: 'host', code: 'stopping' })
    expect(await status(home)).toEqual({ state: 'stopped' })
  })

  test.each<[string[], string, 'handed back' | 'lost', (it: Started) => unknown]>([
    [['--now'], 'its engine hangs', 'handed back', ({ link }) => link.ask(100, { ...chat, hang: true })],
    [['--now'], 'its hub is gone', 'lost', ({ hub }) => hub.close()],
    [['--now'], 'the disk is full', 'handed back', ({ home }) => fillDisk(home)],
    [['--now'], 'the agent itself hangs', 'lost', ({ pid }) => process.kill(pid, 'SIGSTOP')],
    [['--grace', '1'], 'its engine hangs', 'handed back', ({ link }) => link.ask(100, { ...chat, hang: true })],
    [['--grace', '1'], 'its hub is gone', 'lost', ({ hub }) => hub.close()],
    [['--grace', '1'], 'the disk is full', 'handed back', ({ home }) => fillDisk(home)],
  ])(
    'a stop %p gives the machine back although %s; the twenty answers that ran are %s',
    async (how, _, what, trouble) => {
      const { home, hub, flags } = world({}, { hanging: true })
      await gpuhost(home, ['start', ...flags, '--slots', '32'])
      const link = hub.last()
      const streams = Array.from({ length: 20 }, (_each, at) => at + 1)
      for (const stream of streams) link.ask(stream, chat)
      await until('each has a chunk', () => streams.every((stream) => link.on(stream).bytes > 0))
      const { pid = 0 } = await status(home)
      await trouble({ home, hub, link, pid })
      const stopped = await gpuhost(home, ['stop', ...how, '--json'])
      expect(stopped).toMatchObject({ code: 0 })
      expect(JSON.parse(stopped.stdout)).toEqual({ state: 'stopped', wasRunning: true })
      await until('the process is gone', () => !alive(pid))
      const code = what === 'lost' ? undefined : 'stopping'
      expect(streams.map((stream) => link.on(stream).fail?.code)).toEqual(streams.map(() => code))
      expect(await status(home)).toEqual({ state: 'stopped' })
    },
  )

  test('an agent that was killed leaves nothing in the way of the next', async () => {
    const { home, hub, flags } = world()
    await gpuhost(home, ['start', ...flags])
    const { pid } = await status(home)
    process.kill(pid ?? 0, 'SIGKILL')
    await until('the process is gone', () => !alive(pid ?? 0))
    expect(await status(home)).toEqual({ state: 'stopped' })
    expect((await gpuhost(home, ['start', ...flags])).code).toBe(0)
    const [first, second] = hub.links.map((link) => link.hello()?.machine)
    expect(first).toBe(second ?? 'none')
    await gpuhost(home, ['stop', '--now'])
  })

  test('the power of a card is limited while it works, and set back after a kill by whoever stops', async () => {
    const { home, flags } = world()
    const { nvidiaSmi } = fakeMachine(machines['one 4090'], { library: false })
    const folder = dirname(nvidiaSmi)
    const variables = { GPUHOST_TOKEN: TOKEN, PATH: `${folder}:${process.env.PATH}`, GPUHOST_NVML: '/nowhere.so' }
    const limit = () => JSON.parse(readFileSync(join(folder, 'machine.json'), 'utf8')).rows[0]['power.limit']
    expect((await gpuhost(home, ['limits', '--watts', '300', '--data', '5'], variables)).stdout).toContain('300 W')
    const child = spawn(home, ['start', '--foreground', ...flags], variables)
    await until('the limit is set', () => limit() === '300.00')
    const shown = JSON.parse((await gpuhost(home, ['status', '--json'], variables)).stdout)
    expect(shown.owner.cap).toEqual({ watts: 300, trouble: null })
    child.kill('SIGKILL')
    await child.exited
    expect(limit()).toBe('300.00')
    await gpuhost(home, ['stop'], variables)
    expect(limit()).toBe('450.00')
  })

  test('a start that fails says why, with the exit code of its kind', async () => {
    const { home, hub } = world()
    const nobody = ['--hub', hub.url, '--model', 'm/x']
    const wrongCard = await gpuhost(home, ['start', ...nobody, '--simulate-gpu', 'RTX 9999'])
    expect(wrongCard).toMatchObject({ code: 2, stdout: '' })
    expect(wrongCard.stderr).toContain('RTX 4090')
    const vllm = await gpuhost(home, ['start', ...nobody, '--engine', 'vllm'])
    expect(vllm.code).toBe(2)
    expect(vllm.stderr).toContain('gpuhost setup --model')
    const noEngine = await gpuhost(home, ['start', ...nobody])
    expect(noEngine).toMatchObject({ code: 2 })
    expect(noEngine.stderr).toContain('--engine-url')
    const badModel = await gpuhost(home, ['start', '--hub', hub.url, '--model', 'a model'])
    expect(badModel).toMatchObject({ code: 2 })
  })
})

/** A process that has ended may stay in the table until its parent looks: that counts as gone. */
function alive(pid: number): boolean {
  const row = Bun.spawnSync(['ps', '-o', 'stat=', '-p', String(pid)])
    .stdout.toString()
    .trim()
  return row !== '' && !row.startsWith('Z')
}
