// A file while it arrives: as long as it will be, full of holes, beside a journal of the ranges that are safely on disk.
// What the journal names is never fetched again, also after a power cut.
import { closeSync, constants, fdatasyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'

export interface Range {
  /** Its first byte, and the first after it. */
  start: number
  end: number
}

export interface Partial {
  file: FileHandle
  /** Still to be fetched, in order. */
  missing: Range[]
  /** Bytes that are there. */
  doneBytes: number
  /** The range is written: keeps that for good. */
  finished(range: Range): Promise<void>
  close(): Promise<void>
}

export const partialPath = (path: string) => `${path}.part`
export const journalPath = (path: string) => `${path}.ranges`

/** Goes on where an earlier try ended. `content` names what the file shall hold; of another content nothing is kept. */
export async function openPartial(
  path: string,
  { bytes, content, rangeBytes }: { bytes: number; content: string; rangeBytes: number },
): Promise<Partial> {
  const head = `${content} ${bytes} ${rangeBytes}`
  const all = cut(bytes, rangeBytes)
  let done = finishedIn(journalPath(path), head)
  if (done === undefined) {
    forget(path)
    done = new Set()
  }
  // Never cut: what is there stays there.
  const file = await open(partialPath(path), constants.O_RDWR | constants.O_CREAT, 0o600)
  if ((await file.stat()).size !== bytes) await file.truncate(bytes)
  const journal = openSync(journalPath(path), 'a', 0o600)
  if (done.size === 0) append(journal, `${head}\n`)
  const missing = all.filter(({ start }) => !done.has(start))
  return {
    file,
    missing,
    doneBytes: bytes - missing.reduce((sum, { start, end }) => sum + end - start, 0),
    async finished({ start }) {
      await file.datasync()
      append(journal, `${start}\n`)
    },
    async close() {
      closeSync(journal)
      await file.close()
    },
  }
}

/** The file is complete, or worthless: what was kept about it goes. */
export function forget(path: string): void {
  rmSync(partialPath(path), { force: true })
  rmSync(journalPath(path), { force: true })
}

function cut(bytes: number, rangeBytes: number): Range[] {
  const count = Math.ceil(bytes / rangeBytes)
  return Array.from({ length: count }, (_, at) => ({
    start: at * rangeBytes,
    end: Math.min(bytes, (at + 1) * rangeBytes),
  }))
}

/** First bytes of the ranges that are there; undefined: the journal is of something else. */
function finishedIn(path: string, head: string): Set<number> | undefined {
  let text = ''
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
  const lines = text.split('\n')
  // What follows the last line break was being written when the machine went down.
  lines.pop()
  return lines[0] === head ? new Set(lines.slice(1).map(Number)) : undefined
}

function append(journal: number, line: string): void {
  writeSync(journal, line)
  fdatasyncSync(journal)
}
