// The other side of engines.ts: emulated engines in a process of their own, which carry out the plans they find in the
// questions they are asked. A plan is carried out once, by whichever engine gets to it first.
import { type Emulator, startEmulator } from '../host/testing.ts'
import { decode } from '../sdk/wire/vocabulary.ts'
import type { EngineState, FromEngines, ToEngines } from './engines.ts'
import { conductOf, planIn } from './question.ts'

const met = new Set<number>()
const except = (prompt: readonly number[]) => {
  const planned = planIn(decode(prompt))
  if (!planned || met.has(planned.number)) return {}
  met.add(planned.number)
  return conductOf(planned.plan)
}

const ports = process.argv.slice(2).map(Number)
const engines = await Promise.all(ports.map((port) => startEmulator({ port, except })))

const say = (message: FromEngines) => void process.send?.(message)
process.on('message', (message: ToEngines) => {
  for (const [at, conduct] of Object.entries(message.set ?? {})) engines[Number(at)]?.set(conduct)
  say({ state: engines.map(stateOf) })
})
// Whoever started us is gone.
process.on('disconnect', () => process.exit())
say({ ready: engines.map(({ port }) => port) })

function stateOf({ tally, hanging }: Emulator): EngineState {
  const planned = hanging.flatMap(({ body }) => planIn(JSON.stringify(body)) ?? [])
  const numbers = (loss: 'host' | 'hang') =>
    planned.filter(({ plan }) => plan.loss === loss).map(({ number }) => number)
  return { running: tally.running, held: numbers('host'), hung: numbers('hang') }
}
