import { expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { virtualEnv } from '../sdk/testing.ts'
import { fileWriter, humanLine, jsonLine, logTo, readableLine } from './log.ts'

test('a log is JSON lines for a file, and plain lines for a person', () => {
  const env = virtualEnv()
  const lines: string[] = []
  const write = (line: string) => void lines.push(line)
  logTo(env, write, jsonLine).warn('not linked', { retryMs: 500 })
  logTo(env, write, humanLine).error('broken', { hub: 'ws://x' })
  expect(JSON.parse(lines[0] ?? '')).toEqual({
    time: '2026-01-01T00:00:00.000Z',
    level: 'warn',
    message: 'not linked',
    retryMs: 500,
  })
  expect(lines[1]).toMatch(/^\d\d:\d\d:\d\d {2}error: broken {2}hub=ws:\/\/x\n$/)
})

test('a log file is its owner’s, and never grows beyond twice its limit', () => {
  const folder = mkdtempSync(join(tmpdir(), 'log-'))
  const path = join(folder, 'gpuhost.log')
  const write = fileWriter(path, 100)
  for (let at = 0; at < 50; at++) write(`line ${at}\n`)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(statSync(path).size).toBeLessThanOrEqual(100)
  expect(existsSync(`${path}.1`)).toBe(true)
  fileWriter(path, 100)('after a restart\n')
  const kept = readFileSync(`${path}.1`, 'utf8') + readFileSync(path, 'utf8')
  expect(kept).toEndWith('line 49\nafter a restart\n')
  rmSync(folder, { recursive: true })
})

test('a line of the file is shown as a person reads it, and cannot repaint the terminal', () => {
  const lines: string[] = []
  logTo(virtualEnv(), (line) => void lines.push(line), jsonLine).warn('not linked', { retryMs: 500 })
  expect(readableLine(lines[0]!.trim())).toMatch(/^2026-01-01 \d\d:\d\d:\d\d {2}warn: not linked {2}retryMs=500$/)
  expect(readableLine('\u001b[2J half a li')).toBe(' [2J half a li')
})
