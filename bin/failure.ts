/** 0 done · 1 failed · 2 wrong use · 3 this machine does not meet the requirements · 75 start me again, I am newer. */
export type ExitCode = 0 | 1 | 2 | 3 | 75

/**
 * A failure a person can act on: shown as its sentence and hint, without a stack. Any error that carries an
 * `exitCode` is shown so, which lets rooms that cannot import this file have their own.
 */
export class Failure extends Error {
  constructor(
    message: string,
    readonly exitCode: ExitCode = 1,
    readonly hint?: string,
  ) {
    super(message)
  }
}

/** A secret typed in the wrong place must not be repeated in full. */
export function clip(word: string): string {
  return word.length > 24 ? `${word.slice(0, 12)}…` : word
}
