import type { ComponentChildren } from 'preact'

export interface Column<R> {
  name: string
  cell: (row: R) => ComponentChildren
  /** Numbers stand at the right. */
  number?: boolean
}

interface Listing<R> {
  columns: Column<R>[]
  rows: readonly R[]
  /** For those who cannot see it. */
  caption: string
  /** What to do while there is nothing. */
  empty: ComponentChildren
  id?: string
}

/** Rows of one kind. The first column names the row; on a phone each row takes two lines. */
export function Table<R>({ columns, rows, caption, empty, id }: Listing<R>) {
  if (rows.length === 0) return <div class="card empty">{empty}</div>
  return (
    <div class="card flush">
      <table class="rows" id={id}>
        <caption class="hidden">{caption}</caption>
        <thead>
          <tr>
            {columns.map(({ name, number }) => (
              <th scope="col" class={number ? 'number' : undefined}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr>
              {columns.map(({ name, cell, number }, i) =>
                i === 0 ? (
                  <th scope="row">{cell(row)}</th>
                ) : (
                  <td class={number ? 'number' : undefined} data-label={name}>
                    {cell(row)}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
