// Answers as nvidia-smi does, from the `machine.json` beside the file that was started: any list of fields, and a
// failure of the whole query for one field it does not know.
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { SmiAnswers } from './machines.ts'

const file = join(dirname(process.argv[1] ?? ''), 'machine.json')
const machine = JSON.parse(readFileSync(file, 'utf8')) as SmiAnswers
const { conduct, rows, compute, list } = machine
const [question = '', uuid = '', flag = '', watts = ''] = process.argv.slice(2)

if (conduct === 'hang') await new Promise((resolve) => setTimeout(resolve, 600_000))
if (conduct === 'unloaded') {
  console.log("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.")
  process.exit(9)
}
if (question === '-i' && flag === '-pl') {
  const row = rows.find((each) => each.uuid === uuid)
  if (machine.unprivileged) console.log('Changing power management limit: Insufficient Permissions')
  if (machine.unprivileged || !row) process.exit(4)
  row['power.limit'] = `${watts}.00`
  writeFileSync(file, JSON.stringify(machine))
  console.log(`Power limit for GPU was set to ${watts}.00 W.`)
} else if (question === '-L') console.log(list)
else if (question.startsWith('--query-compute-apps=')) console.log(compute.join('\n'))
else if (question.startsWith('--query-gpu=')) {
  const fields = question.slice('--query-gpu='.length).split(',')
  const unknown = fields.find((field) => rows[0] && !Object.hasOwn(rows[0], field))
  if (unknown !== undefined) {
    console.log(`Field "${unknown}" is not a valid field to query.`)
    process.exit(2)
  }
  for (const row of rows) console.log(fields.map((field) => row[field]).join(', '))
} else process.exit(6)
