// The settings in force. Read again all the time, so that a change made by any process counts here within a second.
import type { Db } from '../../db/open.ts'
import type { Cancel, Env } from '../../sdk/env.ts'
import { type Settings, settingsFrom } from './settings.ts'

const REFRESH_MS = 900

export class Policy {
  private settings: Settings
  private cancel: Cancel = () => {}
  private closed = false

  private constructor(
    private readonly env: Env,
    private readonly db: Db,
    settings: Settings,
  ) {
    this.settings = settings
  }

  static async open(env: Env, db: Db): Promise<Policy> {
    const policy = new Policy(env, db, await readSettings(db))
    policy.again()
    return policy
  }

  current(): Settings {
    return this.settings
  }

  /** At once, after a change made here. */
  async refresh(): Promise<void> {
    this.settings = await readSettings(this.db)
  }

  close(): void {
    this.closed = true
    this.cancel()
  }

  private again(): void {
    if (this.closed) return
    this.cancel = this.env.timer(REFRESH_MS, () => {
      // A database that is away for a moment leaves the last settings in force.
      this.refresh()
        .catch(() => {})
        .finally(() => this.again())
    })
  }
}

export async function readSettings(db: Db): Promise<Settings> {
  const { settings } = db.tables
  return settingsFrom(await db.query.select({ name: settings.name, value: settings.value }).from(settings))
}
