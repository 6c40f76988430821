// Runs while bundling, so that the documents are inside the program.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Document {
  slug: string
  title: string
  markdown: string
}

/** Every page of docs/, by file name. */
export function embeddedDocuments(): Document[] {
  const folder = join(import.meta.dirname, '..', 'docs')
  return readdirSync(folder)
    .filter((name) => name.endsWith('.md'))
    .sort()
    .map((name) => {
      const markdown = readFileSync(join(folder, name), 'utf8')
      return { slug: name.slice(0, -3), title: /^# (.+)$/m.exec(markdown)?.[1] ?? name, markdown }
    })
}
