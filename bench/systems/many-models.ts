// A hub whose catalog has as many models as it is told, to see what a thousand cost. Made-up models are copies of a
// real one under other names, and are in the catalog before anything reads it.
import { catalog } from '../../hub/catalog/models.ts'
import type { ModelRecord } from '../../hub/catalog/records.ts'

const count = Number(process.argv[2])
const [first] = catalog
if (!first || !Number.isInteger(count)) throw new Error('many-models.ts takes how many')
const models = catalog as ModelRecord[]
models.splice(1)
for (let i = 0; i < count - 1; i++) models.push({ ...first, id: `bench/model-${i}` })

const { startServing } = await import('../../bin/gpuhub/serve.ts')
const { readConfig } = await import('../../hub/config.ts')
await startServing(readConfig(process.env), { interactive: false })
