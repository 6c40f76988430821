// `bun sim/plant.ts NAME [--search]`: plants one bug in this process alone, and runs histories until one of them breaks
// the rule that shows it: first the seed that is known to, unless it is to be searched for.
import { join } from 'node:path'
import { type Bug, BUGS, planIn } from './bugs.ts'

const MOST_SEEDS = 400
const root = join(import.meta.dirname, '..')

const bug = BUGS.find(({ name }) => name === process.argv[2])
if (!bug) throw new Error(`no such bug; there are:\n${BUGS.map(({ name }) => name).join('\n')}`)
await plant(bug)
// From here on whatever is loaded has the bug.
const { live } = await import('./campaign.ts')
const { layGround } = await import('./ground.ts')

const ground = await layGround()
const others = Array.from({ length: MOST_SEEDS }, (_, at) => at + 1)
const seeds = process.argv[3] === '--search' ? others : [bug.seed, ...others.slice(0, -1)]
let histories = 0
for (const seed of seeds) {
  histories++
  const { broken } = await live(planIn(bug, seed), ground)
  const found = broken.find(({ rule }) => rule === bug.breaks)
  if (!found) continue
  console.log(JSON.stringify({ histories, seed, found }))
  process.exit(0)
}
console.log(JSON.stringify({ histories, seed: null, found: null }))
process.exit(1)

/** @throws when the program no longer has the place where the bug would be */
async function plant({ name, edits }: Bug): Promise<void> {
  const texts = new Map<string, string>()
  for (const { file, was, becomes } of edits) {
    const path = join(root, file)
    const text = texts.get(path) ?? (await Bun.file(path).text())
    if (text.split(was).length !== 2) throw new Error(`"${name}" cannot be planted: ${file} has not one\n${was}`)
    texts.set(
      path,
      text.replace(was, () => becomes),
    )
  }
  Bun.plugin({
    name: 'a planted bug',
    setup(build) {
      build.onLoad({ filter: /\/hub\/.*\.ts$/ }, async ({ path }) => ({
        contents: texts.get(path) ?? (await Bun.file(path).text()),
        loader: 'ts',
      }))
    },
  })
}
