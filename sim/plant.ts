// `bun sim/plant.ts NAME`: plants one bug in this process alone, and runs histories until one of them breaks a rule.
import { join } from 'node:path'
import { type Bug, BUGS } from './bugs.ts'

const MOST_SEEDS = 400
const root = join(import.meta.dirname, '..')

const bug = BUGS.find(({ name }) => name === process.argv[2])
if (!bug) throw new Error(`no such bug; there are:\n${BUGS.map(({ name }) => name).join('\n')}`)
await plant(bug)
// From here on whatever is loaded has the bug.
const { campaign } = await import('./campaign.ts')
const { layGround } = await import('./ground.ts')
const { planFor } = await import('./plan.ts')

const seeds = [bug.seed, ...Array.from({ length: MOST_SEEDS - 1 }, (_, at) => at + 1)]
const so = await campaign(await layGround(), {
  plans: seeds.map(planFor),
  enough: ({ failures }) => failures.length > 0,
})
const [found] = so.failures
console.log(
  JSON.stringify({ histories: so.histories, seed: found?.plan.seed ?? null, broken: found?.broken[0] ?? null }),
)

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
