import { byName, listActs } from '../../hub/policy/acts.ts'
import { changeSettings } from '../../hub/policy/change.ts'
import { readSettings } from '../../hub/policy/policy.ts'
import { defaults, isSettingName, listSettings, type SettingName } from '../../hub/policy/settings.ts'
import { systemEnv } from '../../sdk/env.ts'
import { command, type Command, type Group } from '../command.ts'
import { clip, Failure } from '../failure.ts'
import { columns, table } from '../lines.ts'
import { suggestion } from '../suggestion.ts'
import { onDatabase, place } from './database.ts'
import { moment } from './moment.ts'

const list = command({
  name: 'list',
  summary: 'List what the team may decide: names, values, what they mean.',
  options: place,
  run: ({ options, world, out }) =>
    onDatabase({ world, data: options.data }, async (db) => {
      const settings = listSettings(await readSettings(db)).map(({ name, value, fallback, description }) => ({
        ...{ name, value, default: fallback, description },
      }))
      const changed = (row: (typeof settings)[number]) => (Bun.deepEquals(row.value, row.default) ? ' ' : '*')
      out(
        settings,
        columns(settings.map((row) => [changed(row), row.name, JSON.stringify(row.value), row.description])),
      )
    }),
})

const set = command({
  name: 'set',
  summary: 'Decide; every hub follows within a second.',
  positionals: [
    { name: 'name', help: 'As gpuhub setting list shows it.' },
    { name: 'value', help: 'Text, a number, or JSON; "default" goes back to the default.' },
  ],
  options: place,
  notes: ['', 'Example: gpuhub setting set clientCountries \'["US","CA"]\''],
  run: ({ positionals, options, world, out }) => {
    const name = nameFrom(positionals.name)
    const value = positionals.value === 'default' ? defaults[name] : valueFrom(name, positionals.value)
    return onDatabase({ world, data: options.data, create: true }, async (db) => {
      const settings = await changeSettings(systemEnv, db, 'command line', { [name]: value })
      out({ name, value: settings[name] }, [`${name} is ${JSON.stringify(settings[name])}.`])
    })
  },
})

/** What admins did. */
export const actsCommand: Command = command({
  name: 'acts',
  summary: 'What admins did, on pages and here, newest first.',
  options: {
    ...place,
    subject: { type: 'string', value: 'ID', help: 'Only what was done to this user, invitation or setting.' },
    limit: { type: 'integer', value: 'N', default: 50, min: 1, max: 10_000, help: 'How many at most.' },
  },
  run: ({ options, world, out }) =>
    onDatabase({ world, data: options.data }, async (db) => {
      const { limit, subject } = options
      const acts = (await listActs(db, { limit, subject })).map(({ at, by, ...act }) => ({
        ...act,
        at: moment(at),
        by: byName(by),
      }))
      const rows = acts.map(({ at, by, what, subject: to, before, after }) => [
        ...[at, by ?? 'command line', what, to, change(before, after)],
      ])
      const empty = 'Nobody did anything yet.'
      out(acts, table({ header: ['at', 'by', 'what', 'to', 'change'], rows, empty }))
    }),
})

function change(before: unknown, after: unknown): string {
  if (before === null && after === null) return ''
  return before === null ? JSON.stringify(after) : `${JSON.stringify(before)} → ${JSON.stringify(after)}`
}

function nameFrom(text: string): SettingName {
  if (isSettingName(text)) return text
  throw new Failure(
    `There is no setting "${clip(text)}".`,
    2,
    suggestion(text, Object.keys(defaults), 'gpuhub setting'),
  )
}

/** Settings that are text are taken as they stand: `5.00` must not become 5. */
function valueFrom(name: SettingName, text: string): unknown {
  if (typeof defaults[name] === 'string') return text
  try {
    return JSON.parse(text)
  } catch {
    throw new Failure(`${name} takes JSON, such as ${JSON.stringify(defaults[name])}.`, 2)
  }
}

export const settingCommands: Group = {
  name: 'setting',
  summary: 'What the team decides while the hub runs',
  commands: [list, set],
}
