// `gpuhost doctor --full`: what only a machine with a real GPU can show, in a form that reports of several machines can be
// compared by.
import type { Env } from '../../sdk/env.ts'
import { askDriver, type DriverAccess, DriverWatch } from './driver.ts'
import { say } from './program.ts'

export interface Item {
  what: string
  how: string
  /** Null: it could not be seen here. */
  result: string | null
}

const PROGRAM_MS = 20_000
const MOST_LINES = 60

/** `benchmark`: what gpuhost bench found here, in words; null: nothing yet. */
export async function checklist(env: Env, access: DriverAccess, benchmark: string | null): Promise<Item[]> {
  const began = env.mono()
  const library = await askDriver(env, { ...access, nvidiaSmi: '/nonexistent' })
  const tookMs = Math.round(env.mono() - began)
  const program = await askDriver(env, { ...access, library: '/nonexistent' })
  const smi = access.nvidiaSmi ?? 'nvidia-smi'
  const said = (what: string, command: string[]) => output(env, what, command)
  const names = (report: typeof library) => report.cards.map(({ uuid, name }) => `${uuid ?? '?'} ${name}`).join('; ')
  return [
    {
      what: 'NVML',
      how: 'the library, in a process of its own',
      result: library.by ? `${names(library)} (${tookMs} ms)` : library.trouble,
    },
    { what: 'nvidia-smi', how: 'CSV queries', result: program.by ? names(program) : program.trouble },
    {
      what: 'both agree',
      how: 'the same cards, memory and capability',
      result: agreement(library.cards, program.cards),
    },
    {
      what: 'looking again and again',
      how: `${LOOKS} looks through one process`,
      result: library.by === 'nvml' ? await lookOften(env, access) : null,
    },
    {
      what: 'temperature and power now',
      how: 'NVML; limits as they are and can be',
      result: eachCard(
        library.cards,
        ({ temperatureCelsius: celsius, powerWatts: { draw, limit, least, usual, most } }) =>
          [
            `${celsius ?? '?'} °C`,
            `${draw ?? '?'} W of ${limit ?? '?'} W (${least ?? '?'} to ${most ?? '?'}, usually ${usual ?? '?'})`,
          ].join(', '),
      ),
    },
    {
      what: 'the power limit may be set',
      how: 'nvidia-smi -pl, to what it is',
      result: await mayLimit(env, smi, library.cards),
    },
    {
      what: 'memory that is taken before anything runs',
      how: 'NVML, MiB of each card',
      result: eachCard(library.cards, ({ memoryBytes, freeBytes }) =>
        freeBytes === null ? '?' : String(Math.round((memoryBytes - freeBytes) / 2 ** 20)),
      ),
    },
    { what: 'speed', how: 'gpuhost bench, as it was run last', result: benchmark },
    {
      what: 'programs on the GPUs',
      how: 'NVML process lists',
      result: library.cards.every(({ processes }) => processes === null)
        ? null
        : library.cards
            .flatMap(({ processes }) => processes ?? [])
            .map(({ kind, name, usedBytes }) => `${kind} ${name ?? '?'} ${usedBytes ?? '?'}`)
            .join('; ') || 'none',
    },
    ...(await Promise.all([
      said('how cards are connected', [smi, 'topo', '-m']),
      said('cards read each other', [smi, 'topo', '-p2p', 'r']),
      said('clocks and why they are low', [smi, '-q', '-d', 'PERFORMANCE,POWER,TEMPERATURE']),
      said('persistence daemon', ['systemctl', 'is-active', 'nvidia-persistenced']),
      said('errors of the driver', ['journalctl', '-k', '-q', '-g', 'NVRM: Xid', '-n', '20', '--no-pager']),
      said('container toolkit', ['nvidia-ctk', '--version']),
      said('Docker', ['docker', 'info', '--format', '{{.ServerVersion}} {{json .Runtimes}} {{.CgroupDriver}}']),
      said('gamemode', ['gamemoded', '-s']),
      said('sessions', ['loginctl', 'list-sessions', '--no-legend']),
    ])),
  ]
}

const LOOKS = 10

async function lookOften(env: Env, access: DriverAccess): Promise<string> {
  const watch = new DriverWatch(env, access)
  try {
    await watch.look()
    const began = env.mono()
    for (let look = 0; look < LOOKS; look++) await watch.look()
    return `${((env.mono() - began) / LOOKS).toFixed(1)} ms each`
  } finally {
    watch.close()
  }
}

/** Setting what is set already changes nothing, and shows whether one may. */
async function mayLimit(env: Env, smi: string, cards: Cards): Promise<string | null> {
  const card = cards.find(
    ({ uuid, partOf, powerWatts }) => uuid !== null && partOf === null && powerWatts.limit !== null,
  )
  if (!card?.uuid) return null
  const said = await say(env, [smi, '-i', card.uuid, '-pl', String(card.powerWatts.limit)], PROGRAM_MS)
  if ('absent' in said) return null
  if ('late' in said) return 'no answer'
  return said.code === 0 ? 'yes' : `no: ${said.text.trim().split('\n')[0] ?? ''}`
}

function eachCard(cards: Cards, words: (card: Cards[number]) => string): string | null {
  return cards.length === 0 ? null : cards.map(words).join('; ')
}

type Cards = Awaited<ReturnType<typeof askDriver>>['cards']

function agreement(library: Cards, program: Cards): string | null {
  if (library.length === 0 || program.length === 0) return null
  const facts = (cards: Cards) =>
    cards.map((card) => `${card.uuid} ${card.memoryBytes} ${card.computeCapability}`).sort()
  return facts(library).join() === facts(program).join() ? 'yes' : 'no'
}

async function output(env: Env, what: string, command: string[]): Promise<Item> {
  const said = await say(env, command, PROGRAM_MS)
  const how = command.join(' ')
  if ('absent' in said) return { what, how, result: null }
  if ('late' in said) return { what, how, result: 'no answer' }
  const lines = said.text.trim().split('\n').slice(0, MOST_LINES)
  return { what, how, result: lines.join('\n') || `nothing (exit code ${said.code})` }
}
