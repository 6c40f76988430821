// A download that is killed again and again: `bun host/weights/testing/kills.ts --bytes 2000000000 --kills 10`.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { until } from '../../../sdk/testing.ts'
import { type Served, sha256, smallRepo, startHuggingFace } from './hub.ts'

export interface Ordeal {
  bytes: number
  rangeBytes: number
  kills: number
  /** Of each connection. */
  bytesPerSecond: number
}

export interface Survived {
  kills: number
  seconds: number
  /** The content is what it should be. */
  right: boolean
  /** Of ranges that were finished when they were fetched. */
  bytesFetchedTwice: number
  /** Sent in all, also what the kills lost. */
  bytesSent: number
}

export async function survive({ bytes, rangeBytes, kills, bytesPerSecond }: Ordeal): Promise<Survived> {
  const began = performance.now()
  const folder = mkdtempSync(join(tmpdir(), 'kills-'))
  const repo = smallRepo(bytes)
  const site = startHuggingFace([repo], { bytesPerSecond })
  const weights = join(folder, `Qwen--Qwen3-8B@${repo.revision.slice(0, 12)}`, 'model.safetensors')
  const journal = `${weights}.ranges`
  const finished = () => (existsSync(journal) ? readFileSync(journal, 'utf8').split('\n').slice(1, -1).map(Number) : [])
  const program = [process.execPath, join(import.meta.dirname, 'fetch.ts'), site.url, folder, String(rangeBytes)]
  let bytesFetchedTwice = 0
  try {
    for (let kill = 1; kill <= kills; kill++) {
      const before = finished()
      const from = site.served.length
      const child = Bun.spawn(program, { stdout: 'ignore', stderr: 'inherit' })
      await until('two more ranges', () => finished().length >= before.length + 2 || child.exitCode !== null, 120_000)
      if (child.exitCode !== null) throw new Error('it was done before it could be killed so often: take more bytes')
      // Not always at the same point of a range.
      await Bun.sleep((kill * 37) % 100)
      child.kill('SIGKILL')
      await child.exited
      bytesFetchedTwice += overlap(site.served.slice(from), before, rangeBytes)
    }
    const before = finished()
    const from = site.served.length
    const last = Bun.spawn(program, { stdout: 'ignore', stderr: 'inherit' })
    const ended = await last.exited
    bytesFetchedTwice += overlap(site.served.slice(from), before, rangeBytes)
    const content = repo.files.find(({ path }) => path === 'model.safetensors')?.content
    const right = ended === 0 && content !== undefined && (await hashOf(weights)) === sha256(content)
    const bytesSent = site.served.reduce((sum, { start, end }) => sum + end - start, 0)
    return { kills, seconds: (performance.now() - began) / 1_000, right, bytesFetchedTwice, bytesSent }
  } finally {
    await site.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

function overlap(served: Served[], finished: number[], rangeBytes: number): number {
  const weights = served.filter(({ path }) => path === 'model.safetensors')
  const inBoth = ({ start, end }: Served, range: number) =>
    Math.max(0, Math.min(end, range + rangeBytes) - Math.max(start, range))
  return weights.reduce((sum, span) => sum + finished.reduce((all, range) => all + inBoth(span, range), 0), 0)
}

async function hashOf(path: string): Promise<string> {
  const hasher = new Bun.CryptoHasher('sha256')
  for await (const piece of Bun.file(path).stream()) hasher.update(piece)
  return hasher.digest('hex')
}

if (import.meta.main) {
  const { values } = parseArgs({
    args: Bun.argv.slice(2),
    options: {
      bytes: { type: 'string', default: '2000000000' },
      kills: { type: 'string', default: '10' },
      'range-bytes': { type: 'string', default: String(32 * 2 ** 20) },
      'bytes-per-second': { type: 'string', default: '40000000' },
    },
  })
  console.log(
    await survive({
      bytes: Number(values.bytes),
      kills: Number(values.kills),
      rangeBytes: Number(values['range-bytes']),
      bytesPerSecond: Number(values['bytes-per-second']),
    }),
  )
}
