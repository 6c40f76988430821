// A change of settings: all of them or none, each written down as an act.
import { eq } from 'drizzle-orm'
import type { Db } from '../../db/open.ts'
import { transaction } from '../../db/transaction.ts'
import type { Env } from '../../sdk/env.ts'
import { type Actor, record } from './acts.ts'
import { checkSetting, defaults, isSecret, type Settings, settingsFrom } from './settings.ts'

/**
 * Sets what `changes` names; null for a value that has no null of its own goes back to the default. Hubs notice within
 * a second. What is set to what it is already is no act. @returns the settings then @throws HubError
 */
export async function changeSettings(
  env: Env,
  db: Db,
  by: Actor,
  changes: Readonly<Record<string, unknown>>,
): Promise<Settings> {
  const wanted = Object.entries(changes).map(([given, value]) => {
    const fallback = value === null && Object.hasOwn(defaults, given) && defaults[given as keyof Settings] !== null
    const name = fallback ? (given as keyof Settings) : checkSetting(given, value)
    return { name, value: fallback ? defaults[name] : value }
  })
  const { settings } = db.tables
  return transaction(db, async (tx) => {
    const before = settingsFrom(await tx.select({ name: settings.name, value: settings.value }).from(settings))
    for (const { name, value } of wanted) {
      if (Bun.deepEquals(before[name], value)) continue
      const row = { name, value, changedAt: env.now() }
      if (Bun.deepEquals(defaults[name], value)) await tx.delete(settings).where(eq(settings.name, name))
      else await tx.insert(settings).values(row).onConflictDoUpdate({ target: settings.name, set: row })
      const shown = (each: unknown) => (isSecret(name) && each !== '' ? '(secret)' : each)
      await record(env, db, tx, {
        ...{ by, what: 'setting.change', subject: name },
        ...{ before: shown(before[name]), after: shown(value) },
      })
    }
    return settingsFrom(await tx.select({ name: settings.name, value: settings.value }).from(settings))
  })
}
