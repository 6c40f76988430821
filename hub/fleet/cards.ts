import type { Hardware } from '../../sdk/wire/frames.ts'

const GIB = 2 ** 30

/** A machine in one line. Equal cards are counted: `2 × RTX 4090, 24 GiB`; a machine without one is its processor. */
export function cardsOf({ gpus, cpu }: Pick<Hardware, 'gpus' | 'cpu'>): string {
  const cards = new Map<string, number>()
  for (const { name, memoryBytes } of gpus) {
    const card = `${name}, ${Math.round(memoryBytes / GIB)} GiB`
    cards.set(card, (cards.get(card) ?? 0) + 1)
  }
  if (cards.size === 0) return cpu
  return [...cards].map(([card, times]) => (times > 1 ? `${times} × ${card}` : card)).join(' + ')
}
