/** What the card may rest for, the most pressing first. */
export const rests = ['use', 'schedule', 'data', 'power', 'heat'] as const
export type Rest = (typeof rests)[number]

/** That it rest. `use`: it is needed at once; else what runs may finish. */
export interface Wish {
  who: Rest
  why: string
}
