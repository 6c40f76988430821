/** A vocabulary and chat template the hub can count with. Models that share both share the name. */
export const tokenizerNames = ['emulator', 'qwen3', 'mistral-nemo'] as const
export type TokenizerName = (typeof tokenizerNames)[number]
