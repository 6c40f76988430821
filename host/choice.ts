// What the owner chose at `gpuhost setup`: what `gpuhost start` serves when it is not told.
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Static, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import type { Home } from './config.ts'
import { HostError, reason } from './errors.ts'

const Choice = Type.Object({
  /** Catalog id of the variant. */
  variant: Type.String({ maxLength: 80 }),
  /** Where its weights are; null: an engine of the owner's own has them. */
  weightsFolder: Type.Union([Type.String({ maxLength: 4_096 }), Type.Null()]),
  /** UUIDs; one engine each group. */
  gpus: Type.Array(Type.Array(Type.String({ maxLength: 80 }))),
  /** Flags of vLLM beyond the model. */
  args: Type.Array(Type.String({ maxLength: 200 })),
  contextTokens: Type.Integer({ minimum: 1 }),
  /** Least tokens a second a request alone has to get, as the catalog had it; absent: nothing is asked. */
  minTokensPerSecond: Type.Optional(Type.Number({ minimum: 0 })),
})
export type Choice = Static<typeof Choice>

const choicePath = (home: Home) => join(home.path, 'choice.json')

/** Null: nothing was chosen yet. @throws HostError when the file is damaged */
export function savedChoice(home: Home): Choice | null {
  let text: string
  try {
    text = readFileSync(choicePath(home), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new HostError(`${choicePath(home)} cannot be read: ${reason(error)}.`)
  }
  try {
    const choice: unknown = JSON.parse(text)
    if (Value.Check(Choice, choice)) return choice
  } catch {
    // Said below.
  }
  throw new HostError(`${choicePath(home)} is damaged. Run gpuhost setup again.`)
}

/** Whole or not at all. */
export function saveChoice(home: Home, choice: Choice): void {
  const path = choicePath(home)
  try {
    writeFileSync(`${path}.new`, `${JSON.stringify(choice, null, 2)}\n`, { mode: 0o600, flush: true })
    renameSync(`${path}.new`, path)
  } catch (error) {
    throw new HostError(`${path} cannot be written: ${reason(error)}.`)
  }
}
