import { afterAll, describe, expect, setDefaultTimeout, spyOn, test } from 'bun:test'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemEnv } from '../../sdk/env.ts'
import { until, virtualEnv } from '../../sdk/testing.ts'
import { askDriver, DriverWatch } from './driver.ts'
import {
  compiler,
  fakeMachine,
  type MachineName,
  machines,
  removeMachines,
  replay,
  uuidOf,
} from './testing/machines.ts'

// Each question starts a process, on a machine that may be busy.
setDefaultTimeout(60_000)
afterAll(removeMachines)
const programs: string[] = []
afterAll(() => {
  for (const folder of programs) rmSync(folder, { recursive: true })
})

const reader = [process.execPath, join(import.meta.dirname, '../../bin/gpuhost.ts'), 'probe', '--json', '--library']
const GIB = 2 ** 30

const ask = (name: MachineName) => askDriver(systemEnv, { reader, ...fakeMachine(machines[name]) })
const askSmi = (name: MachineName) =>
  askDriver(systemEnv, { reader, ...fakeMachine(machines[name], { library: false }) })

describe.if(compiler() !== null)('NVML says', () => {
  test('what a card is, and who else is on it', async () => {
    const { by, driver, cuda, cards, trouble } = await ask('a gamer at play')
    expect({ by, driver, cuda, trouble }).toEqual({ by: 'nvml', driver: '580.95.05', cuda: '13.0', trouble: null })
    expect(cards).toEqual([
      {
        uuid: uuidOf(0),
        name: 'NVIDIA GeForce RTX 4090',
        memoryBytes: 24_564 * 2 ** 20,
        freeBytes: 15_000 * 2 ** 20,
        computeCapability: '8.9',
        pcie: { generation: 4, width: 16 },
        powerWatts: { draw: 30, limit: 450, usual: 450, least: 100, most: 500 },
        temperatureCelsius: 41,
        busyPercent: 83,
        display: true,
        partOf: null,
        processes: [
          { pid: 1_200, kind: 'graphics', name: '/usr/lib/xorg/Xorg', usedBytes: 620 * 2 ** 20 },
          { pid: 4_711, kind: 'graphics', name: '/games/witcher3', usedBytes: 8_400 * 2 ** 20 },
        ],
        trouble: null,
      },
    ])
  })

  test('several cards, each under its own UUID', async () => {
    const { cards } = await ask('two 3090')
    expect(cards.map(({ uuid }) => uuid)).toEqual([uuidOf(0), uuidOf(1)])
  })

  test('that one card is lost, and the other is not', async () => {
    const { cards } = await ask('a sick card')
    expect(cards.map(({ trouble }) => trouble)).toEqual([null, expect.stringContaining('fallen off the bus')])
  })

  test('the instances of a divided card in its place', async () => {
    const { cards } = await ask('divided H100')
    expect(cards).toMatchObject([
      { uuid: expect.stringMatching(/^MIG-/), memoryBytes: 39.5 * GIB, computeCapability: '9.0', partOf: uuidOf(0) },
      { uuid: expect.stringMatching(/^MIG-/), memoryBytes: 39.5 * GIB, busyPercent: null, partOf: uuidOf(0) },
    ])
    expect(new Set(cards.map(({ uuid }) => uuid)).size).toBe(2)
  })
})

describe('without the library, nvidia-smi says', () => {
  test.each(['one 4090', 'two 3090', 'one 5090', '8 GB card', 'old driver'] as const)(
    'the same of %s',
    async (name) => {
      const [first, second] = [await askSmi(name), compiler() === null ? undefined : await ask(name)]
      expect(first).toMatchObject({ by: 'nvidia-smi', driver: machines[name].driver })
      expect(first.cards.map(({ computeCapability }) => computeCapability)).toEqual(
        machines[name].gpus.map((gpu) => gpu.computeCapability),
      )
      // It does not show programs that only draw.
      if (second) expect(first.cards).toEqual(second.cards)
    },
  )

  test('that one card is lost, and the other is not', async () => {
    const { cards } = await askSmi('a sick card')
    expect(cards.map(({ trouble }) => trouble === null)).toEqual([true, false])
  })

  test('the instances of a divided card, a little smaller than they are', async () => {
    const { cards } = await askSmi('divided H100')
    expect(cards).toMatchObject([
      { uuid: expect.stringMatching(/^MIG-/), memoryBytes: 38 * GIB },
      { uuid: expect.stringMatching(/^MIG-/), partOf: uuidOf(0) },
    ])
  })

  test('what it knows, where an old driver does not know a field', async () => {
    const nvidiaSmi = program(
      'case "$1" in *compute_cap*|*display*|*mig*) echo "not a valid field to query." ; exit 2;; esac\n' +
        'case "$1" in *driver_version*) echo "0, GPU-1, 450.80, 8192, Tesla P4, PCIe";; *memory.free*) echo "0, 8000";; *) exit 2;; esac',
    )
    const { driver, cards } = await askDriver(systemEnv, { reader, library: '/nonexistent', nvidiaSmi })
    expect(driver).toBe('450.80')
    expect(cards).toMatchObject([
      { name: 'Tesla P4, PCIe', computeCapability: null, freeBytes: 8_000 * 2 ** 20, processes: null, trouble: null },
    ])
  })

  test.each(['hello', ',,,,', '0, GPU-1, 580', '[N/A], [N/A], [N/A], [N/A], [N/A]'])(
    'nothing, when it prints %p',
    async (words) => {
      const nvidiaSmi = program(`printf '%s\\n' '${words}'`)
      expect(await askDriver(systemEnv, { reader, library: '/nonexistent', nvidiaSmi })).toMatchObject({ cards: [] })
    },
  )
})

describe('a driver that is not well', () => {
  test('and not there leaves no cards and no complaint', async () => {
    expect(await ask('no GPU')).toEqual({ driver: null, cuda: null, cards: [], trouble: null, by: null })
  })

  test('and not loaded is said to be that', async () => {
    expect(await ask('driver not loaded')).toMatchObject({ cards: [], trouble: 'the NVIDIA driver is not loaded' })
  })

  test.if(compiler() !== null)('whose library kills whoever asks is asked by nvidia-smi', async () => {
    expect(await ask('crashing library')).toMatchObject({ by: 'nvidia-smi', cards: [{ computeCapability: '8.9' }] })
  })

  test.if(compiler() !== null)('and hangs is given up on, whatever it is asked by', async () => {
    const env = virtualEnv()
    const asking = askDriver(env, { reader, ...fakeMachine(machines['hanging driver']) })
    // First the library is waited for, then nvidia-smi.
    for (const what of ['the library', 'nvidia-smi']) {
      await until(`${what} to be asked`, () => env.timers() > 0)
      await env.advance(10_000)
    }
    expect(await asking).toMatchObject({ cards: [], by: null, trouble: expect.stringContaining('hangs. Reboot') })
  })

  test('is never looked for by a relative path, which anybody could have put there', async () => {
    const error = await askDriver(systemEnv, { reader, library: 'libnvidia-ml.so.1' }).catch(
      (problem: unknown) => problem,
    )
    expect(error).toMatchObject({ exitCode: 2 })
  })
})

function program(body: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'smi-'))
  programs.push(folder)
  const path = join(folder, 'nvidia-smi')
  writeFileSync(path, `#!/bin/sh\n${body}\n`)
  chmodSync(path, 0o755)
  return path
}

describe.if(compiler() !== null)('a driver that is watched', () => {
  const watched = (name: MachineName) => {
    const paths = fakeMachine(machines[name])
    return { paths, watch: new DriverWatch(systemEnv, { reader, ...paths }) }
  }

  test('says each time what holds by then, through one process', async () => {
    const { paths, watch } = watched('one 4090')
    const started: number[] = []
    const spawn = Bun.spawn
    const counting = spyOn(Bun, 'spawn').mockImplementation(((...args: Parameters<typeof Bun.spawn>) => {
      started.push(1)
      return spawn(...args)
    }) as typeof Bun.spawn)
    try {
      expect(await watch.look()).toEqual({ ...(await ask('one 4090')) })
      const before = started.length
      replay(paths, machines['a gamer at play'])
      const { cards, by } = await watch.look()
      expect([by, cards[0]?.processes?.length, started.length - before]).toEqual(['nvml', 2, 0])
      replay(paths, machines['one 4090'])
      expect((await watch.look(60_000)).cards).toEqual(cards)
      expect((await watch.look()).cards[0]?.processes).toEqual([])
    } finally {
      counting.mockRestore()
      watch.close()
    }
  })

  test('and crashes or hangs is asked in other ways, and looked at anew the next time', async () => {
    const { paths, watch } = watched('one 4090')
    await watch.look()
    replay(paths, machines['crashing library'])
    expect(await watch.look()).toMatchObject({ by: 'nvidia-smi', cards: [{ name: 'NVIDIA GeForce RTX 4090' }] })
    replay(paths, machines['one 4090'])
    expect((await watch.look()).by).toBe('nvml')
    watch.close()
  })

  test('leaves nothing running when nobody asks any more', async () => {
    const env = virtualEnv()
    const quick = { ...systemEnv, mono: env.mono, timer: env.timer }
    const { paths } = watched('one 4090')
    const watch = new DriverWatch(quick, { reader, ...paths })
    await watch.look()
    const child = childrenReading(paths.library)
    expect(child.length).toBe(1)
    await env.advance(5_000)
    await until('it has ended', () => childrenReading(paths.library).length === 0)
    expect(env.timers()).toBe(0)
  })
})

/** Processes that were started to read it. */
function childrenReading(library: string): string[] {
  const { stdout } = Bun.spawnSync(['ps', '-eo', 'args'])
  return stdout
    .toString()
    .split('\n')
    .filter((line) => line.includes(library) && line.includes('--follow'))
}
