// When the owner wants the card for himself or herself. A running agent reads it anew at each look: no restart is needed.
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Static, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { type Home, makeHome } from '../config.ts'
import { HostError, reason } from '../errors.ts'
import { checkHours, checkZone } from './hours.ts'

const Wishes = Type.Object({
  /** The card works in these hours only; null: at any time. */
  schedule: Type.Union([
    Type.Object({ text: Type.String({ maxLength: 500 }), zone: Type.String({ maxLength: 60 }) }),
    Type.Null(),
  ]),
  /** The card rests while somebody else uses it, and for so long after; null: it does not. */
  idle: Type.Union([
    Type.Object({
      quietMinutes: Type.Integer({ minimum: 1, maximum: 1_440 }),
      /** Also while somebody is at its screen. */
      session: Type.Optional(Type.Boolean()),
    }),
    Type.Null(),
  ]),
  /** What power costs: the card rests while it would earn less than it draws; null: nobody has said. */
  power: Type.Union([
    Type.Object({
      kilowattHourUsd: Type.Number({ minimum: 0, maximum: 100 }),
      /** Of the machine around its cards; 0: it is on anyway. */
      machineWatts: Type.Integer({ minimum: 0, maximum: 10_000 }),
    }),
    Type.Null(),
  ]),
  /** Above it the card gets less to do, then rests; null: as its maker has it. */
  heat: Type.Union([Type.Object({ limitCelsius: Type.Integer({ minimum: 40, maximum: 110 }) }), Type.Null()]),
  /** Most watts of each card while it works; null: as it is. */
  capWatts: Type.Union([Type.Integer({ minimum: 1, maximum: 2_000 }), Type.Null()]),
  /** Most data in a month, 10⁹ bytes; null: no matter. `zone`: whose months. */
  data: Type.Union([
    Type.Object({
      gigabytes: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
      zone: Type.String({ maxLength: 60 }),
    }),
    Type.Null(),
  ]),
})
export type Wishes = Static<typeof Wishes>

export const noWishes: Wishes = { schedule: null, idle: null, power: null, heat: null, capWatts: null, data: null }

const pathIn = (home: Home) => join(home.path, 'owner.json')

/** @throws HostError when the file is damaged */
export function savedWishes(home: Home): Wishes {
  const path = pathIn(home)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return noWishes
    throw new HostError(`${path} cannot be read: ${reason(error)}.`)
  }
  try {
    // What an older program did not know of, nobody has wished yet.
    const wishes: unknown = { ...noWishes, ...JSON.parse(text) }
    if (Value.Check(Wishes, wishes)) {
      check(wishes)
      return wishes
    }
  } catch {
    // Said below.
  }
  throw new HostError(
    `${path} is damaged. Remove it, then say again what you want: gpuhost schedule, idle, power, limits.`,
  )
}

/** Changes what is named, whole or not at all. @throws HostError */
export function saveWishes(home: Home, changes: Partial<Wishes>): Wishes {
  const wishes = { ...savedWishes(home), ...changes }
  check(wishes)
  makeHome(home)
  const path = pathIn(home)
  try {
    writeFileSync(`${path}.new`, `${JSON.stringify(wishes, null, 2)}\n`, { mode: 0o600, flush: true })
    renameSync(`${path}.new`, path)
  } catch (error) {
    rmSync(`${path}.new`, { force: true })
    throw new HostError(`${path} cannot be written: ${reason(error)}.`)
  }
  return wishes
}

/** @throws HostError */
function check({ schedule, data }: Wishes): void {
  if (schedule) checkHours(schedule)
  if (data) checkZone(data.zone)
}
