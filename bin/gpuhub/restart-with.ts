// Some settings are read by the runtime before a program's first line. This gives them to a program by starting it once
// more in its own place: same process id, same words, same standard streams.
import { dlopen, FFIType, ptr } from 'bun:ffi'
import { readFileSync } from 'node:fs'

/**
 * Where `settings` are not in the environment yet, the program begins anew with them, and this does not return. It does
 * return where they are, or where that cannot be done; then it goes on as it is.
 */
export function restartWith(settings: Record<string, string>, env: Record<string, string | undefined>): void {
  if (process.platform !== 'linux' || Object.keys(settings).every((name) => env[name] !== undefined)) return
  try {
    const words = readFileSync('/proc/self/cmdline').toString('latin1').split('\0').slice(0, -1)
    const variables = Object.entries({ ...settings, ...env }).flatMap(([name, value]) =>
      value === undefined ? [] : [`${name}=${value}`],
    )
    const { symbols } = dlopen('libc.so.6', {
      execve: { args: [FFIType.ptr, FFIType.ptr, FFIType.ptr], returns: FFIType.i32 },
    })
    const [argv, envp] = [
      pointers(words.map((word) => Buffer.from(`${word}\0`, 'latin1'))),
      pointers(variables.map((each) => Buffer.from(`${each}\0`))),
    ]
    symbols.execve(ptr(Buffer.from(`${process.execPath}\0`)), ptr(argv.list), ptr(envp.list))
  } catch {
    // No such library, or no word of our own: slower is better than not at all.
  }
}

/** What C calls a vector of strings. `strings` has to stay until it was used. */
function pointers(strings: Buffer[]): { list: BigUint64Array; strings: Buffer[] } {
  return { list: new BigUint64Array([...strings.map((each) => BigInt(ptr(each))), 0n]), strings }
}
