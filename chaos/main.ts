// `bun run chaos`: the stories of scenarios.ts, one after the other, with real processes. Exit code 1 when a promise was
// broken, 2 for wrong use.
import { parseArgs } from 'node:util'
import { type TestServer, testServer } from '../bin/postgres.ts'
import { columns } from '../bin/lines.ts'
import { type Certificate, linesOf } from './certificate.ts'
import type { Database } from './processes.ts'
import { perform, type Scenario } from './scenario.ts'
import { scenarios } from './scenarios.ts'

const USAGE = [
  'bun run chaos [--only NAME]… [--short] [--streams N] [--seconds N] [--minutes N] [--database NAME] [--seed N] [--json]',
  '',
  '  --only      one scenario, or several; otherwise all',
  '  --short     each as short as in the tests',
  '  --streams   how many streams (lost-hosts) or rounds (hub-kills)',
  '  --seconds   how long faults are made, in each of the others',
  '  --minutes   begins no scenario after so many minutes, and goes round until then',
  '  --database  sqlite or postgres, where a scenario plays on both',
  '  --seed      of questions, losses and waits; otherwise drawn, and shown',
  "  --keep-logs also when every promise was kept: the programs' logs, in .cache/chaos",
  '  --json      the certificates as one JSON document on stdout, all else on stderr',
]

interface Wishes {
  chosen: readonly Scenario[]
  databases: readonly Database[]
  short: boolean
  count?: number
  seconds?: number
  minutes?: number
  seed: number
  keepLogs: boolean
  json: boolean
}

const wishes = wishesOf(Bun.argv.slice(2))
const say = (line: string) => console.error(line)
let server: TestServer | undefined
let code = 1
try {
  code = await play(wishes)
} catch (error) {
  say(error instanceof Error ? error.message : String(error))
} finally {
  await server?.stop()
}
process.exit(code)

async function play({ chosen, databases, minutes, json }: Wishes): Promise<number> {
  const certificates: Certificate[] = []
  const skipped: string[] = []
  const until = minutes === undefined ? null : performance.now() + minutes * 60_000
  let round = 0
  do {
    for (const scenario of chosen) {
      for (const database of scenario.databases.filter((each) => databases.includes(each))) {
        if (until !== null && performance.now() > until) break
        const obstacle = scenario.obstacle?.() ?? (await databaseObstacle(scenario, database))
        if (obstacle) {
          skipped.push(`${scenario.name} on ${database} WAS NOT PLAYED: ${obstacle}`)
          continue
        }
        say(`── ${scenario.name} on ${database}: ${scenario.about}`)
        const certificate = await perform(scenario, {
          ...lengthOf(scenario),
          ...{ database, seed: wishes.seed + round, timed: true, keepLogs: wishes.keepLogs, say },
        })
        certificates.push(certificate)
        say(`${linesOf(certificate).join('\n')}\n`)
      }
    }
    round++
  } while (until !== null && performance.now() < until && certificates.length > 0)
  for (const line of new Set(skipped)) say(line)
  const broken = certificates.filter(({ kept }) => !kept)
  if (json) console.log(JSON.stringify(certificates, null, 2))
  else for (const line of summary(certificates)) console.log(line)
  if (certificates.length === 0) say('Nothing was played.')
  return broken.length === 0 && certificates.length > 0 ? 0 : 1
}

function lengthOf({ long, short }: Scenario): Scenario['long'] {
  const length = wishes.short ? short : long
  return {
    count: length.count > 0 ? (wishes.count ?? length.count) : 0,
    seconds: length.seconds > 0 ? (wishes.seconds ?? length.seconds) : 0,
  }
}

/** PostgreSQL is started when it is first needed, unless the scenario brings its own. */
async function databaseObstacle(scenario: Scenario, database: Database): Promise<string | null> {
  if (database === 'sqlite' || scenario.ground || server) return null
  try {
    server = await testServer(process.env)
    process.env.TEST_DATABASE_URL = server.url
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function summary(certificates: readonly Certificate[]): string[] {
  const rows = certificates.map(({ scenario, database, kept, requests, complete, waitsMs, answers }) => {
    const wrong = Object.values(answers).reduce((sum, count) => sum + count, 0)
    const counts = [String(requests), String(complete), String(wrong), String(waitsMs.stall.p99)]
    return [scenario, database, ...counts, kept ? 'kept' : 'BROKEN']
  })
  const header = ['SCENARIO', 'DATABASE', 'REQUESTS', 'COMPLETE', 'WRONG TEXTS', 'STALL P99 MS', 'PROMISES']
  return columns([header, ...rows], [2, 3, 4, 5])
}

function wishesOf(argv: string[]): Wishes {
  try {
    const { values } = parseArgs({
      args: argv,
      options: {
        only: { type: 'string', multiple: true },
        short: { type: 'boolean', default: false },
        streams: { type: 'string' },
        seconds: { type: 'string' },
        minutes: { type: 'string' },
        database: { type: 'string' },
        seed: { type: 'string' },
        'keep-logs': { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) {
      console.log([...USAGE, '', ...columns(scenarios.map(({ name, about }) => [name, about]))].join('\n'))
      process.exit(0)
    }
    return {
      chosen: values.only ? values.only.map(scenarioNamed) : scenarios,
      databases: databasesNamed(values.database),
      short: values.short,
      count: whole('streams', values.streams),
      seconds: whole('seconds', values.seconds),
      minutes: whole('minutes', values.minutes),
      seed: whole('seed', values.seed) ?? crypto.getRandomValues(new Uint16Array(1))[0]!,
      keepLogs: values['keep-logs'],
      json: values.json,
    }
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE.join('\n')}`)
    process.exit(2)
  }
}

function scenarioNamed(name: string): Scenario {
  const found = scenarios.find((scenario) => scenario.name === name)
  if (!found) throw new Error(`There is no "${name}". There are: ${scenarios.map((each) => each.name).join(', ')}.`)
  return found
}

function databasesNamed(name: string | undefined): readonly Database[] {
  if (name === undefined) return ['sqlite', 'postgres']
  if (name === 'sqlite' || name === 'postgres') return [name]
  throw new Error('--database is sqlite or postgres.')
}

function whole(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new Error(`--${name} takes a whole number above 0.`)
  return Number(text)
}
