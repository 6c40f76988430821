// A process of its own that updates twice and is killed on the way: `bun swaps.ts FOLDER STEP`, before that step on disk.
import fs from 'node:fs'
import { join } from 'node:path'
import { confirm, currentVersion, place, swap } from '../program.ts'

const [, , folder = '', last = ''] = process.argv
const program = { folder }
fs.mkdirSync(join(folder, 'download'), { recursive: true })

let step = 0
const changing = ['mkdirSync', 'openSync', 'writeSync', 'fsyncSync', 'renameSync', 'symlinkSync', 'rmSync'] as const
for (const name of changing) {
  const original = fs[name] as (...words: unknown[]) => unknown
  const counted = (...words: unknown[]) => {
    if (++step === Number(last)) process.kill(process.pid, 'SIGKILL')
    return original(...words)
  }
  Object.assign(fs, { [name]: counted })
}

for (let round = 0; round < 2; round++) {
  const version = `0.3.${Number(currentVersion(program).split('.')[2]) + 1}`
  const file = join(folder, 'download', 'gpuhost')
  fs.writeFileSync(file, `#!/bin/sh\necho ${version}\n`, { mode: 0o755 })
  place(program, version, file)
  swap(program, version)
  if (round > 0) confirm(program)
}
console.log(step)
