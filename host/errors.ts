/** Something the owner can act on. `exitCode`: 1 failed, 2 wrong use, 3 this machine does not meet the requirements. */
export class HostError extends Error {
  override name = 'HostError'

  constructor(
    message: string,
    readonly exitCode: 1 | 2 | 3 = 1,
  ) {
    super(message)
  }
}

/** What went wrong, for a log: the message only, never a stack or a cause that might quote a request. */
export function reason(error: unknown): string {
  // The runtime's own advice is for whoever writes programs.
  return error instanceof Error
    ? error.message.replace(/ For more information, pass .*/, '').slice(0, 300)
    : 'unknown error'
}

/** Words from elsewhere, safe to show: control characters could repaint the owner's terminal. */
export function printable(words: string): string {
  // oxlint-disable-next-line no-control-regex
  return words.replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ')
}
