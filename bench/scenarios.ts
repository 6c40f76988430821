// The questions every system is asked. An answer of 90 tokens is about 1 KB as one body. Most engines send an event a
// token; the rows "one event" hold the cost of a request apart from the cost of its tokens.
import type { Scenario } from './compare.ts'
import type { Load } from './load.ts'
import { makePrompt, type World } from './world.ts'

const ANSWER_TOKENS = 90
const GAP_US = 20_000

export interface Pace {
  rounds: number
  warmMs: number
  measureMs: number
}

export const quickPace: Pace = { rounds: 3, warmMs: 120, measureMs: 350 }
// A hub that has just been idle fetches its memory again for a second: what is measured is one at work.
export const fullPace: Pace = { rounds: 6, warmMs: 2_000, measureMs: 1_000 }

export function scenarios(world: World, { warmMs, measureMs }: Pace): Scenario[] {
  const prompt = makePrompt(world, 1_024)
  const whole = (connections: number, more: Partial<Load> = {}): Load => ({
    ...{ connections, stream: false, tokens: ANSWER_TOKENS, each: ANSWER_TOKENS, prompt, warmMs, measureMs },
    ...more,
  })
  // Long enough that no stream ends within the sample: it begins in the ramp and outlives the end.
  const paced = (connections: number): Load => {
    const rampMs = Math.max(400, connections)
    return {
      ...{ connections, stream: true, gapUs: GAP_US, prompt, rampMs, warmMs: rampMs + warmMs, measureMs },
      tokens: Math.ceil((rampMs + warmMs + measureMs) / (GAP_US / 1_000)) + 5,
    }
  }
  const few = (_: string, { slow }: { slow?: boolean }) => !slow
  return [
    { name: 'whole, 1 connection', unit: 'answers', load: whole(1) },
    { name: 'whole, 32 connections', unit: 'answers', load: whole(32) },
    { name: 'whole, 128 connections', unit: 'answers', load: whole(128), only: few },
    { name: 'whole, 32, an event a token', unit: 'answers', load: whole(32, { each: 1 }), only: few },
    {
      name: 'whole, 32, 90 KB prompt',
      unit: 'answers',
      load: whole(32, { prompt: makePrompt(world, 90_000) }),
      only: few,
    },
    {
      name: 'short streams, 32 connections',
      unit: 'answers',
      load: { ...whole(32), stream: true, tokens: 5, each: 1 },
      only: few,
    },
    // Short, so that there are first tokens to time.
    { name: '32 streams × 50/s', unit: 'chunks', load: { ...paced(32), tokens: 20, warmMs: 400 + warmMs } },
    { name: '500 streams × 50/s', unit: 'chunks', load: paced(500), only: few },
    {
      name: '1500 streams × 50/s',
      unit: 'chunks',
      load: paced(1_500),
      only: (name, it) => few(name, it) && name !== 'hub, 1 host',
    },
    {
      name: 'flood, 16 streams',
      unit: 'chunks',
      load: { ...whole(16), stream: true, tokens: 1_000, each: 1 },
      only: few,
    },
  ]
}
