import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { signRelease } from '../../bin/release.ts'
import { readConfig } from '../config.ts'
import { machineKey, publicKeyOf } from '../../sdk/wire/machine-key.ts'
import { serveHub } from '../../host/hub/testing.ts'
import { until } from '../../sdk/testing.ts'
import type { World } from '../testing.ts'
import { Shelf } from './downloads.ts'

const key = machineKey(new Uint8Array(32).fill(9))
const keys = [publicKeyOf(key)]
const program = new TextEncoder().encode('0123456789')
const NOW = Date.UTC(2026, 10, 23)
let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gpuhub-releases-'))
  mkdirSync(join(folder, '0.2.0'))
  writeFileSync(join(folder, '0.2.0', 'gpuhost-linux-x64.gz'), program)
  offer(100)
  writeFileSync(join(folder, '..', 'secret'), 'not for anybody')
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
  rmSync(join(folder, '..', 'secret'))
})

const offer = (rolloutPercent: number) =>
  signRelease({ ...{ folder, version: '0.2.0', keys: [key], now: NOW, daysValid: 1 }, rolloutPercent })
const installer = "hub='@HUB@'\nkeys='@KEYS@'\n"
const serving = (more: World = {}) => serveHub({ releases: { from: folder, installer, keys }, ...more })
const PATH = '/download/0.2.0/gpuhost-linux-x64.gz'

describe('a hub with releases', () => {
  test('hands out install.sh with its own address and keys inside', async () => {
    await using hub = await serving()
    const response = await fetch(`${hub.url}/install.sh`)
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(await response.text()).toBe(`hub='${hub.url}'\nkeys='${keys[0]}'\n`)
    await using named = await serving({ config: { publicUrl: 'https://hub.example/' } })
    expect(await (await fetch(`${named.url}/install.sh`)).text()).toContain("hub='https://hub.example'\n")
  })

  test('puts no name into it that a shell could take for something else', async () => {
    await using hub = await serving()
    for (const host of ["a';id;'", 'a$(id)', 'a`id`', 'a"b'])
      expect((await fetch(`${hub.url}/install.sh`, { headers: { host } })).status).toBeGreaterThanOrEqual(400)
  })

  test('sends what belongs to a version whole or in part, to be kept, and what is on offer to be asked for again', async () => {
    await using hub = await serving()
    const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
      fetch(hub.url + path, { headers: { 'accept-encoding': 'identity', ...headers }, method })
    const whole = await get(PATH)
    expect(whole.headers.get('cache-control')).toContain('immutable')
    expect(await whole.bytes()).toEqual(program)
    const etag = whole.headers.get('etag')!
    const rows: [Record<string, string>, number, string][] = [
      [{ range: 'bytes=4-' }, 206, '456789'],
      [{ range: 'bytes=2-3' }, 206, '23'],
      [{ range: 'bytes=8-100' }, 206, '89'],
      [{ range: 'bytes=-3' }, 206, '789'],
      [{ range: 'bytes=4-', 'if-range': etag }, 206, '456789'],
      [{ range: 'bytes=4-', 'if-range': '"other"' }, 200, '0123456789'],
      [{ range: 'bytes=10-' }, 416, ''],
      [{ range: 'bytes=3-2' }, 416, ''],
      [{ range: 'lines=1-' }, 200, '0123456789'],
      [{ 'if-none-match': etag }, 304, ''],
    ]
    for (const [headers, status, text] of rows) {
      const response = await get(PATH, headers)
      expect([headers, response.status, await response.text()]).toEqual([headers, status, text])
    }
    expect((await get(PATH, { range: 'bytes=4-' })).headers.get('content-range')).toBe('bytes 4-9/10')
    const head = await get(PATH, {}, 'HEAD')
    expect([head.status, await head.text()]).toEqual([200, ''])
    const manifest = await get('/download/gpuhost.json')
    expect(manifest.headers.get('cache-control')).toBe('no-cache')
    const sha256 = createHash('sha256').update(program).digest('hex')
    expect(await manifest.json()).toMatchObject({ version: '0.2.0', artifacts: [{ bytes: 10, sha256 }] })
    expect((await get('/download/0.2.0/gpuhost.json.sig')).headers.get('cache-control')).toBe('no-cache')
  })

  test('gives nothing else', async () => {
    await using hub = await serving()
    for (const path of [
      '/download/../secret',
      '/download/%2e%2e/secret',
      '/download/..%2fsecret',
      '/download/0.2.0/../../secret',
      '/download/0.2.0',
      '/download/',
      '/download/.gpuhost.json',
      '/download/0.2.0/none.gz',
      '/download/0.2.0/gpuhost-linux-x64.gz/',
    ])
      expect([path, (await fetch(hub.url + path)).status]).toEqual([path, 404])
    expect((await fetch(hub.url + PATH, { method: 'POST' })).status).toBe(405)
  })

  test('can send hosts elsewhere for them', async () => {
    await using hub = await serving({ releases: { from: 'https://cdn.example/gpuhub/', installer, keys } })
    const response = await fetch(hub.url + PATH, { redirect: 'manual' })
    expect([response.status, response.headers.get('location')]).toEqual([
      302,
      'https://cdn.example/gpuhub/0.2.0/gpuhost-linux-x64.gz',
    ])
  })
})

test('a hub that was built without keys, or has no releases, says so', async () => {
  await using keyless = await serving({ releases: { from: folder, installer, keys: [] } })
  const response = await fetch(`${keyless.url}/install.sh`)
  expect([response.status, await response.text()]).toEqual([404, expect.stringContaining('without release keys')])
  await using bare = await serveHub()
  expect((await fetch(`${bare.url}/install.sh`)).status).toBe(404)
  expect(readConfig({}).releases).toBe('')
})

describe('news', () => {
  test('are another manifest than before, once it is signed', async () => {
    offer(100)
    const shelf = new Shelf({ from: folder, installer, keys })
    expect(await shelf.news()).toBeNull()
    expect(await shelf.news()).toBeNull()
    offer(50)
    expect([await shelf.news(), await shelf.news()]).toEqual(['0.2.0', null])
    writeFileSync(join(folder, 'gpuhost.json.sig'), 'forged')
    expect(await shelf.news()).toBeNull()
    offer(40)
    expect(await shelf.news()).toBe('0.2.0')
  })

  test('are the first there is, where there was none', async () => {
    const empty = mkdtempSync(join(tmpdir(), 'gpuhub-releases-'))
    const shelf = new Shelf({ from: empty, installer, keys })
    expect(await shelf.news()).toBeNull()
    mkdirSync(join(empty, '0.2.0'))
    writeFileSync(join(empty, '0.2.0', 'gpuhost-linux-x64.gz'), program)
    signRelease({ folder: empty, version: '0.2.0', keys: [key], now: NOW, daysValid: 1, rolloutPercent: 100 })
    expect(await shelf.news()).toBe('0.2.0')
    rmSync(empty, { recursive: true })
  })

  test('reach every host that is linked', async () => {
    await using hub = await serving({ hosts: { berlin: {} } })
    const { env } = hub.world
    const host = hub.world.host('berlin')
    offer(30)
    await env.advance(60_000)
    expect(host.wishes).toEqual([])
    offer(20)
    await until('the host has heard', async () => {
      await env.advance(60_000)
      return host.wishes.length > 0
    })
    expect(host.wishes).toEqual(['update'])
  })
})
