// Engines come from the Python package registry, into an environment of their own under `.cache/engine/`, pinned.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The installer: the registry's own is ten times slower for gigabytes. */
const UV = 'uv==0.13.9'
const PYTHONS = ['python3', 'python3.13', 'python3.12', 'python3.11']
const OLDEST = [3, 11]
const NEWEST = [3, 14]
const INSTALL_MS = 15 * 60_000

/**
 * Installs what `lock` names (every package, with its version: nothing else is fetched) unless that is done already.
 * @returns the environment's python. @throws with what to do
 */
export async function install(folder: string, lock: string): Promise<string> {
  const python = join(folder, 'bin', 'python')
  const wanted = readFileSync(lock, 'utf8')
  const mark = join(folder, 'installed.txt')
  if (existsSync(mark) && readFileSync(mark, 'utf8') === wanted) return python
  const base = await basePython()
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  await command([base, '-m', 'venv', folder], 'On Debian: apt-get install python3-venv.')
  await command([python, '-m', 'pip', 'install', '--quiet', '--no-cache-dir', UV], 'Is the package registry reachable?')
  const options = ['--quiet', '--no-cache', '--no-deps', '--python', python, '--requirements', lock]
  await command([join(folder, 'bin', 'uv'), 'pip', 'install', ...options], 'Is the package registry reachable?')
  writeFileSync(mark, wanted)
  return python
}

async function basePython(): Promise<string> {
  for (const name of PYTHONS) {
    const path = Bun.which(name)
    if (!path) continue
    const asked = Bun.spawn([path, '-c', 'import sys, venv, ensurepip; print(*sys.version_info[:2])'], {
      stdout: 'pipe',
      stderr: 'ignore',
    })
    const [major, minor] = (await new Response(asked.stdout).text()).trim().split(' ').map(Number)
    if ((await asked.exited) !== 0 || major !== OLDEST[0] || minor === undefined) continue
    if (minor >= OLDEST[1]! && minor <= NEWEST[1]!) return path
  }
  throw new Error(`Python 3.11 to 3.14 with venv is needed. On Debian: apt-get install python3-venv.`)
}

async function command(words: string[], hint: string): Promise<void> {
  const child = Bun.spawn(['nice', ...words], { stdio: ['ignore', 'pipe', 'pipe'], timeout: INSTALL_MS })
  const [said, complained] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  if ((await child.exited) !== 0)
    throw new Error(`${words.join(' ')} failed. ${hint}\n${(said + complained).trim().slice(-2_000)}`)
}
