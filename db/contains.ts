import { type AnyColumn, or, type SQL, sql } from 'drizzle-orm'

/**
 * Whether a column has this text somewhere, in any case of letters. SQLite knows the other case of ASCII letters only;
 * whoever types a name as it is written finds it all the same.
 */
export function contains(column: AnyColumn, text: string): SQL | undefined {
  return or(
    sql`${column} like ${part(text)} escape '\\'`,
    sql`lower(${column}) like ${part(text.toLowerCase())} escape '\\'`,
  )
}

function part(text: string): string {
  return `%${text.replace(/[\\%_]/g, (sign) => `\\${sign}`)}%`
}
