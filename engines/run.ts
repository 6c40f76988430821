// `bun run test:engine [vllm|llama.cpp …]`: answers of real engines through the programs as they are shipped. Fetches an
// engine (a Python package) where it is not there yet, makes a model for it, and runs engines/answers.ts with both.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildPrograms } from '../bin/build.ts'
import { type Count, startTests, stopWhenInterrupted, type Tests, withoutSettings } from '../bin/bun-test.ts'
import { type EngineName, engineNames, installEngine } from './engine.ts'

const root = join(import.meta.dirname, '..')
const TEST_MS = 120_000
const ALL_MS = 20 * 60_000

const folder = mkdtempSync(join(tmpdir(), 'gpuhub-engine-'))
let tests: Tests | undefined

stopWhenInterrupted(stop)

process.exitCode = await main(Bun.argv.slice(2)).finally(stop)

async function main(words: string[]): Promise<number> {
  const unknown = words.find((word) => !engineNames.some((name) => name === word))
  if (unknown !== undefined) {
    console.error(`There is no engine "${unknown}". Known: ${engineNames.join(', ')}.`)
    return 2
  }
  const dist = join(root, 'dist')
  await buildPrograms(dist)
  let [passed, failed] = [0, 0]
  for (const name of engineNames.filter((each) => words.length === 0 || words.includes(each))) {
    const count = await run(name, dist)
    passed += count.passed
    failed += count.failed
  }
  console.log(`${passed} passed, ${failed} failed`)
  return failed > 0 ? 1 : 0
}

async function run(name: EngineName, dist: string): Promise<Count> {
  const begun = performance.now()
  const seconds = () => ((performance.now() - begun) / 1_000).toFixed(0)
  await installEngine(name)
  console.error(`${name} is installed (${seconds()} s)`)
  // What only vLLM is: an engine that the agent runs itself.
  const files = ['./engines/answers.ts', ...(name === 'vllm' ? ['./engines/managed.ts'] : [])]
  tests = startTests(files, {
    env: { ...withoutSettings(process.env), GPUHUB_ENGINE: name, GPUHUB_DIST: dist },
    eachMs: TEST_MS,
    allMs: ALL_MS,
    report: join(folder, `${name}.xml`),
  })
  const count = await tests.count
  console.error(`${name}: ${count.passed} passed, ${count.failed} failed (${seconds()} s)`)
  return count
}

async function stop(): Promise<void> {
  await tests?.stop()
  rmSync(folder, { recursive: true, force: true })
}
