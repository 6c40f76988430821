// Runs while bundling, so that the SQL ends up inside the binary.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Migration {
  id: string
  sql: string
}

export function embeddedMigrations(): { postgres: Migration[]; sqlite: Migration[] } {
  const read = (dialect: string): Migration[] => {
    const folder = join(import.meta.dirname, 'migrations', dialect)
    const files = readdirSync(folder)
      .filter((name) => name.endsWith('.sql'))
      .sort()
    return files.map((name) => ({ id: name.slice(0, -4), sql: readFileSync(join(folder, name), 'utf8') }))
  }
  return { postgres: read('postgres'), sqlite: read('sqlite') }
}
