import { layGround } from './ground.ts'
import { history } from './history.ts'
import { planFor } from './plan.ts'
const from = Number(process.argv[2] ?? 1),
  n = Number(process.argv[3] ?? 1)
const b = await layGround()
const t0 = performance.now()
let steps = 0,
  virtual = 0,
  bad = 0
const reached = new Map<string, number>()
const rules = new Map<string, number[]>()
for (let seed = from; seed < from + n; seed++) {
  const v = history(planFor(seed), b, process.argv[4] ? (l) => console.log(l) : undefined)
  steps += v.steps
  virtual += v.virtualMs
  for (const r of v.reached) reached.set(r, (reached.get(r) ?? 0) + 1)
  if (v.broken.length) {
    bad++
    const k = v.broken[0]!.rule
    rules.set(k, [...(rules.get(k) ?? []), seed])
    if (n === 1) {
      console.log(v.lastNotes.join('\n'))
      console.log([...v.plan.faults].join(' '))
      console.log(v.broken)
    }
  }
  if (n === 1) console.log(v.fingerprint, history(planFor(seed), b).fingerprint)
  await new Promise((r) => setImmediate(r))
}
const s = (performance.now() - t0) / 1000
console.log({ bad, seedsPerSecond: n / s, steps: steps / n, virtual: virtual / n / 1000 })
for (const [k, v] of rules) console.log(v.length, k, v.slice(0, 8).join(' '))
const { RARE } = await import('./sometimes.ts'); for (const r of RARE) console.log(String(reached.get(r) ?? 0).padStart(4), r)
