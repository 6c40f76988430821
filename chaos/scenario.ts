// A story of real processes and what must hold in it. One stage, one performance, one certificate.
import { join } from 'node:path'
import { type Certificate, certify, type Promises } from './certificate.ts'
import { readBooks } from './money.ts'
import { type Database, startWorld, type World } from './processes.ts'
import { type Ground, type Order, Stage } from './stage.ts'

type Length = Pick<Order, 'seconds' | 'count'>

export interface Scenario {
  name: string
  /** What happens, in one line. */
  about: string
  databases: readonly Database[]
  /** How long it plays by command, and in the tests. */
  long: Length
  short: Length
  /** Where it takes longer on PostgreSQL than a test should. */
  shortOnPostgres?: Length
  /** The tests leave it out: it waits for minutes. What it shows is shown there with a clock that is moved by hand. */
  byCommandOnly?: boolean
  /** Why it cannot be played on this machine; null when it can. */
  obstacle?(): string | null
  /** What its world stands on, when that is not the usual. `close` puts it away. */
  ground?(): Promise<Ground>
  play(stage: Stage): Promise<Promises>
}

/** @throws Error with the programs' last lines when the scenario could not be played to its end */
export async function perform(scenario: Scenario, order: Order): Promise<Certificate> {
  const ground = await scenario.ground?.()
  const world = await startWorld(order.database, ground)
  const stage = new Stage(world, order, ground)
  try {
    const promises = await scenario.play(stage)
    await stage.settled()
    await stage.hubsLeave()
    const books = await readBooks(world.databaseUrl, stage.logbook)
    const certificate = await certify({ scenario: scenario.name, ...order, promises }, world, stage, books)
    if (!certificate.kept || order.keepLogs) keep(world, scenario, order)
    return certificate
  } catch (error) {
    keep(world, scenario, order)
    throw new Error(`${scenario.name} could not be played: ${String(error)}\n${world.logs()}`, { cause: error })
  } finally {
    await stage.close()
    await world.close()
    await ground?.close()
  }
}

function keep(world: World, { name }: Scenario, { database, seed, say }: Order): void {
  const folder = join(import.meta.dirname, '..', '.cache', 'chaos', `${name}-${database}-${seed}`)
  world.keepLogs(folder)
  say(`The programs' logs are in ${folder}`)
}
