// What closed models cost, to compare with and to cap by. Data with a date: it moves, and one that nobody keeps up to
// date is worse than none.

export interface Reference {
  name: string
  /** USD per million tokens. */
  promptUsd: number
  completionUsd: number
  /** When the price was last read at its publisher's, and where. */
  asOf: string
  source: string
}

/** The cheapest current models of the two publishers a developer would otherwise ask. */
export const references: readonly Reference[] = [
  {
    name: 'GPT-6 Luna',
    promptUsd: 0.1,
    completionUsd: 0.5,
    asOf: '2026-10-24',
    source: 'https://developers.openai.com/api/docs/pricing',
  },
  {
    name: 'Claude Haiku 5.5',
    promptUsd: 0.1,
    completionUsd: 0.5,
    asOf: '2026-10-24',
    source: 'https://platform.claude.com/docs/en/about-claude/pricing',
  },
]
