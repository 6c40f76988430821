// Lines for a person: one per fact, aligned.

/** Rows as aligned lines, two spaces between columns. `right` names the columns of numbers. */
export function columns(rows: readonly (readonly string[])[], right: readonly number[] = []): string[] {
  const widths: number[] = []
  for (const row of rows)
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, Bun.stringWidth(cell))
  return rows.map((row) =>
    row
      .map((cell, at) => {
        const space = ' '.repeat(widths[at]! - Bun.stringWidth(cell))
        return right.includes(at) ? space + cell : cell + space
      })
      .join('  ')
      .trimEnd(),
  )
}

/** A table with its header in capitals; without rows, `empty` says what to do next. */
export function table(options: {
  header: readonly string[]
  rows: readonly (readonly string[])[]
  right?: readonly number[]
  empty: string
}): string[] {
  if (options.rows.length === 0) return [options.empty]
  return columns([options.header.map((title) => title.toUpperCase()), ...options.rows], options.right)
}
