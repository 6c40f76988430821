// The machine goes down in the middle of an update, at every step there is: a program that works is in use every time.
import { expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { currentPath, currentVersion, type Program, trialOf, versionPath } from './program.ts'
import { installedAt } from './testing/releases.ts'

setDefaultTimeout(60_000)

const KILLS = 100
const AT_A_TIME = 4

test(`after ${KILLS} kills, at every step of a swap, a whole program is in use`, async () => {
  const lanes = Array.from({ length: AT_A_TIME }, () => installed())
  try {
    const steps = Number((await swaps(lanes[0]!, 0)).said)
    expect(steps).toBeGreaterThan(20)
    expect(steps).toBeLessThan(KILLS)
    const kills = Array.from({ length: KILLS }, (_, at) => 1 + (at % steps))
    await Promise.all(
      lanes.map(async (program) => {
        for (let step = kills.pop(); step !== undefined; step = kills.pop()) {
          expect((await swaps(program, step)).signal).toBe('SIGKILL')
          expect(await says(currentPath(program))).toContain(currentVersion(program))
          const trial = trialOf(program)
          // Where the launcher would go back to works, too.
          if (trial) expect(await says(versionPath(program, trial.before))).toContain(trial.before)
        }
      }),
    )
    // And what was left by the last kill is no hindrance.
    for (const program of lanes) expect((await swaps(program, 0)).signal).toBeNull()
  } finally {
    for (const { folder } of lanes) rmSync(folder, { recursive: true, force: true })
  }
})

function installed(): Program {
  const program = { folder: mkdtempSync(join(tmpdir(), 'gpuhost-swap-')) }
  installedAt(program, '0.3.0')
  return program
}

async function swaps({ folder }: Program, step: number) {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'testing', 'swaps.ts'), folder, String(step)], {
    stdout: 'pipe',
    stderr: 'inherit',
  })
  const said = await new Response(child.stdout).text()
  await child.exited
  return { said, signal: child.signalCode }
}

const says = (path: string) => Bun.$`${path}`.text()
