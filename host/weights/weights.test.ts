import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Env, systemEnv } from '../../sdk/env.ts'
import { until } from '../../sdk/testing.ts'
import { download } from './download.ts'
import type { Progress } from './progress.ts'
import { journalPath, openPartial, partialPath } from './ranges.ts'
import { filesToServe, readRepo } from './repo.ts'
import { Shelf } from './shelf.ts'
import { type FakeRepo, madeUp, REVISION, sha256, smallRepo, startHuggingFace, TOKEN } from './testing/hub.ts'
import { survive } from './testing/kills.ts'

setDefaultTimeout(60_000)

const KIB = 1024
const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'weights-'))
  cleanups.push(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** From here on a wait is a limit, which a machine with other work needs; shorter ones are between two tries. */
const LIMITS_MS = 30_000
/** Nobody waits a second for a site that is busy. */
const hasty: Env = {
  ...systemEnv,
  timer: (ms, work) => systemEnv.timer(ms < LIMITS_MS ? ms / 100 : ms, work),
}

/** Limits end when the test says so: no clock takes a connection that works for one that brings nothing. */
function withHeldLimits() {
  const held = new Set<() => void>()
  const timer: Env['timer'] = (ms, work) => {
    if (ms < LIMITS_MS) return hasty.timer(ms, work)
    held.add(work)
    return () => void held.delete(work)
  }
  return { held, env: { ...hasty, timer } }
}

function world(repo: FakeRepo = smallRepo(300 * KIB), token?: string) {
  const site = startHuggingFace([repo])
  cleanups.push(() => site.close())
  const path = join(folder(), 'weights')
  const shelf = new Shelf(hasty, path)
  const told: Progress[] = []
  const variant = { id: 'Qwen/Qwen3-8B:bf16', repo: repo.name, revision: null, args: [], minComputeCapability: '8.0' }
  const fetching = {
    ...{ source: { env: hasty, endpoint: site.url, token }, variant, bytesPerSecond: null, quotaBytes: null },
    ...{ progress: (progress: Progress) => void told.push(progress), signal: new AbortController().signal },
    ...{ rangeBytes: 64 * KIB, room: () => 1e12 },
  }
  return { site, shelf, path, told, fetching, fetch: (more: object = {}) => shelf.fetch({ ...fetching, ...more }) }
}

const weightsIn = (folder: string) => readFileSync(join(folder, 'model.safetensors'))
const refusalOf = (work: Promise<unknown>) =>
  work.then(
    () => 'it worked',
    (error: unknown) => String(error),
  )
/** Bytes of the weights that were sent more than once. */
function twice(served: { path: string; start: number; end: number }[]): number {
  const spans = served.filter(({ path }) => path === 'model.safetensors').toSorted((a, b) => a.start - b.start)
  let [reached, again] = [0, 0]
  for (const { start, end } of spans) {
    again += Math.max(0, Math.min(reached, end) - start)
    reached = Math.max(reached, end)
  }
  return again
}

describe('weights', () => {
  test('arrive whole, pinned to a commit, without anything that could be a program', async () => {
    const { fetch, told, site } = world()
    const { folder, manifest, name } = await fetch()
    expect(name).toBe('Qwen--Qwen3-8B@9c925d64d72b')
    expect(readdirSync(folder).sort()).toEqual(['config.json', 'manifest.json', 'model.safetensors', 'tokenizer.json'])
    expect(sha256(weightsIn(folder))).toBe(sha256(madeUp(300 * KIB)))
    expect(manifest).toMatchObject({ repo: 'Qwen/Qwen3-8B', revision: REVISION, variant: 'Qwen/Qwen3-8B:bf16' })
    expect(twice(site.served)).toBe(0)
    const last = told.at(-1)
    expect(last).toMatchObject({ phase: 'verifying', file: 'model.safetensors' })
    expect(last?.doneBytes).toBe(last?.totalBytes)
  })

  test('that are here are not asked for again', async () => {
    const { fetch, site } = world()
    await fetch()
    const before = site.served.length
    await fetch()
    expect(site.served).toHaveLength(before)
  })

  test('survive resets: what has arrived is not asked for again', async () => {
    const { fetch, site } = world()
    for (const resetAfter of [16, 32, 48, 16, 32]) site.next({ resetAfter: resetAfter * KIB })
    const { folder } = await fetch()
    expect(sha256(weightsIn(folder))).toBe(sha256(madeUp(300 * KIB)))
    // What was on its way when the connection broke may come again, and no more.
    expect(twice(site.served)).toBeLessThanOrEqual((16 + 32 + 48 + 16 + 32) * KIB)
  })

  test('survive a site that is busy, and wait as long as it asks', async () => {
    const { fetch, site } = world()
    site.next({ status: 503 })
    site.next({ status: 429, retryAfter: '1' })
    await fetch()
  })

  test('survive a connection that brings nothing', async () => {
    const { fetch, fetching, site } = world()
    site.next({})
    site.next({})
    site.next({ stallAfter: 16 * KIB })
    const { held, env } = withHeldLimits()
    let came = 0
    const fetched = fetch({ source: { ...fetching.source, env, count: (bytes: number) => void (came += bytes) } })
    const small = '{"model_type":"qwen3"}'.length + '{"model":{}}'.length
    await until('all but the rest of that range is here', () => came === small + (300 - 48) * KIB && held.size === 1)
    for (const over of held) over()
    const { folder } = await fetched
    expect(twice(site.served)).toBe(0)
    expect(sha256(weightsIn(folder))).toBe(sha256(madeUp(300 * KIB)))
  })

  test('of a site that never answers end with a word, and go on later where they were', async () => {
    const { fetch, site, path } = world()
    site.next({})
    site.next({})
    site.next({})
    site.always({ status: 502 })
    expect(await refusalOf(fetch())).toContain('What has arrived is kept')
    const arrived = readFileSync(join(path, 'Qwen--Qwen3-8B@9c925d64d72b', 'model.safetensors.ranges'), 'utf8')
    expect(arrived.split('\n').length).toBeGreaterThan(2)
    site.always({})
    await fetch()
    expect(twice(site.served)).toBe(0)
  })

  test('that were damaged on the way are fetched anew, and given up when they are again', async () => {
    const { fetch, site } = world()
    for (const _ of ['config', 'tokenizer']) site.next({})
    site.next({ damage: true })
    const { folder } = await fetch()
    expect(sha256(weightsIn(folder))).toBe(sha256(madeUp(300 * KIB)))

    const other = world()
    other.site.always({ damage: true })
    expect(await refusalOf(other.fetch())).toContain('arrived damaged twice')
    expect(other.shelf.list()).toMatchObject([{ manifest: null }])
  })

  test('whose small files are damaged are noticed, too', async () => {
    const { fetch, site } = world()
    site.next({ damage: true })
    const { folder } = await fetch()
    expect(readFileSync(join(folder, 'tokenizer.json'), 'utf8')).toBe('{"model":{}}')
  })

  test('from a mirror that cannot send parts are refused, not stored wrongly', async () => {
    const { fetch, site } = world()
    site.always({ ignoresRanges: true })
    expect(await refusalOf(fetch())).toContain('cannot send parts of files')
  })

  test('stop when told to, and go on from there', async () => {
    const site = startHuggingFace([smallRepo(2_000 * KIB)], { bytesPerSecond: 400 * KIB })
    cleanups.push(() => site.close())
    const { shelf, fetching } = world()
    const stop = new AbortController()
    const source = { env: systemEnv, endpoint: site.url }
    const fetch = refusalOf(shelf.fetch({ ...fetching, source, signal: stop.signal }))
    const journal = join(shelf.path, 'Qwen--Qwen3-8B@9c925d64d72b', 'model.safetensors.ranges')
    await until('the first ranges', () =>
      Bun.file(journal)
        .text()
        .then((text) => text.split('\n').length > 4)
        .catch(() => false),
    )
    stop.abort()
    expect(await fetch).toContain('goes on where it was')
    await shelf.fetch({ ...fetching, source })
    expect(sha256(weightsIn(join(shelf.path, 'Qwen--Qwen3-8B@9c925d64d72b')))).toBe(sha256(madeUp(2_000 * KIB)))
  })

  test('that have no safetensors are refused', async () => {
    const { fetch } = world(smallRepo(0, { files: [{ path: 'pytorch_model.bin', content: madeUp(9), lfs: true }] }))
    expect(await refusalOf(fetch())).toContain('safetensors')
  })
})

test('weights whose download is killed ten times are right, and no finished range was fetched twice', async () => {
  const ordeal = { bytes: 6_000 * KIB + 7, rangeBytes: 64 * KIB, kills: 10, bytesPerSecond: 160 * KIB }
  expect(await survive(ordeal)).toMatchObject({ kills: 10, right: true, bytesFetchedTwice: 0 })
})

describe('a gated repository', () => {
  const gated = smallRepo(KIB, { gated: true })
  test('says where its terms are, and what to do with the token', async () => {
    const { fetch, site } = world(gated)
    const refusal = await refusalOf(fetch())
    expect(refusal).toContain(`${site.url}/Qwen/Qwen3-8B`)
    expect(refusal).toContain('HF_TOKEN')
  })

  test('whose terms the token’s owner has not accepted says that', async () => {
    const { fetch } = world(gated, 'hf_somebody')
    expect(await refusalOf(fetch())).toContain('has no access yet')
  })

  test('opens to its owner’s token, which goes to the site and to nobody else', async () => {
    const { fetch, site } = world(gated, TOKEN)
    await fetch()
    const at = (host: string) => site.authorizations.filter((seen) => seen.host === host).map(({ value }) => value)
    expect(new Set(at('site'))).toEqual(new Set([`Bearer ${TOKEN}`]))
    expect(new Set(at('storage'))).toEqual(new Set([null]))
  })

  test('that is not there at all is not said to be gated', async () => {
    const { fetch, fetching } = world()
    const variant = { ...fetching.variant, repo: 'Qwen/Nothing' }
    expect(await refusalOf(fetch({ variant }))).toContain('may not be read')
  })
})

describe('the disk', () => {
  test('that is too small is found out before a byte is fetched', async () => {
    const { fetch, site } = world()
    const refusal = await refusalOf(fetch({ room: () => 10e9 }))
    expect(refusal).toContain('stay free, but the disk at')
    expect(site.served).toEqual([])
  })

  test('that runs full on the way ends the download at once, and keeps what is there', async () => {
    const { site, fetching, path } = world()
    const repo = await readRepo(fetching.source, fetching.variant, fetching.signal)
    let left = 4
    const full = download({
      ...{ ...fetching, ...repo, files: filesToServe(repo, []), folder: path },
      async write(file, bytes, at) {
        if (left-- === 0) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
        await file.write(bytes, 0, bytes.length, at)
      },
    })
    expect(await refusalOf(full)).toContain('is full')
    const before = site.served.length
    await Bun.sleep(50)
    expect(site.served).toHaveLength(before)
  })
})

describe('the shelf', () => {
  const named = (at: number) => smallRepo(100 * KIB, { name: `some/model-${at}`, revision: `${at}`.repeat(40) })
  async function full() {
    const repos = [1, 2, 3, 4].map(named)
    const site = startHuggingFace(repos)
    cleanups.push(() => site.close())
    let now = 1_000_000
    const shelf = new Shelf({ ...hasty, now: () => (now += 60_000) }, join(folder(), 'weights'))
    const fetch = (at: number, quotaBytes: number | null) =>
      shelf.fetch({
        ...{ source: { env: hasty, endpoint: site.url }, bytesPerSecond: null, quotaBytes, progress: () => {} },
        variant: {
          id: `some/model-${at}:bf16`,
          repo: `some/model-${at}`,
          revision: null,
          args: [],
          minComputeCapability: '8.0',
        },
        ...{ signal: new AbortController().signal, room: () => 1e12 },
      })
    for (const at of [1, 2, 3]) await fetch(at, null)
    const names = () => shelf.list().map(({ name }) => name.slice(0, 'some--model-1'.length))
    const nameOf = (at: number) => `some--model-${at}@${`${at}`.repeat(12)}`
    return { shelf, fetch, names, nameOf }
  }
  const QUOTA = 350 * KIB

  test('throws out what was not used for the longest', async () => {
    const { shelf, fetch, names, nameOf } = await full()
    shelf.use(nameOf(1))()
    await fetch(4, QUOTA)
    expect(names()).toEqual(['some--model-4', 'some--model-1', 'some--model-3'])
  })

  test('never throws out what is pinned or in use', async () => {
    const { shelf, fetch, names, nameOf } = await full()
    shelf.pin(nameOf(1), true)
    const release = shelf.use(nameOf(2))
    await fetch(4, QUOTA)
    expect(names().sort()).toEqual(['some--model-1', 'some--model-2', 'some--model-4'])
    expect(() => shelf.remove(nameOf(2))).toThrow('in use')
    release()
    shelf.remove(nameOf(2))
    expect(names().sort()).toEqual(['some--model-1', 'some--model-4'])
  })

  test('throws out nothing for a download that would not fit all the same', async () => {
    const { fetch, names } = await full()
    expect(await refusalOf(fetch(4, 50 * KIB))).toContain('--quota')
    expect(names()).toHaveLength(3)
  })

  test.each(['../../etc@000000000000', '/etc', 'a/b@000000000000', ''])('does not remove %p', async (name) => {
    const { shelf } = await full()
    expect(() => shelf.remove(name)).toThrow('not on the shelf')
  })
})

describe('of Mistral’s two forms', () => {
  const file = (path: string) => ({ path, bytes: 1, sha256: null, gitOid: '' })
  const both = {
    repo: 'm/m',
    revision: REVISION,
    files: ['consolidated.safetensors', 'model-00001-of-00002.safetensors', 'params.json'].map(file),
  }
  test('only the one the engine reads is fetched', () => {
    const names = (args: string[]) => filesToServe(both, args).map(({ path }) => path)
    expect(names(['--load_format', 'mistral']).sort()).toEqual(['consolidated.safetensors', 'params.json'])
    expect(names([])).toEqual(expect.arrayContaining(['model-00001-of-00002.safetensors', 'params.json']))
    expect(names([])).not.toContain('consolidated.safetensors')
  })
})

test('a journal torn by a power cut loses the line that was being written, and nothing else', async () => {
  const path = join(folder(), 'model.safetensors')
  const plan = { bytes: 100, content: 'x', rangeBytes: 10 }
  const first = await openPartial(path, plan)
  for (const range of first.missing.slice(0, 3)) await first.finished(range)
  await first.close()
  writeFileSync(journalPath(path), `${readFileSync(journalPath(path), 'utf8')}3`)
  const second = await openPartial(path, plan)
  expect(second.missing.map(({ start }) => start)).toEqual([30, 40, 50, 60, 70, 80, 90])
  expect(second.doneBytes).toBe(30)
  await second.close()
  // Of other content nothing is kept.
  const third = await openPartial(path, { ...plan, content: 'y' })
  expect(third.doneBytes).toBe(0)
  expect(Bun.file(partialPath(path)).size).toBe(100)
  await third.close()
})
