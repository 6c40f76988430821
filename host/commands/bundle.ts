// What an owner can send to whoever helps: how things stand, without a secret and without a name.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { homedir, hostname, userInfo } from 'node:os'

/** Everything that is written is passed through here. */
export function withoutSecrets(text: string): string {
  const { username } = userInfo()
  const own = (word: string) => new RegExp(`\\b${RegExp.escape(word)}\\b`, 'g')
  return (
    text
      // Tokens and keys of hubs, machines, clients and HuggingFace; whatever follows the word Bearer.
      .replace(/\b(gph|ghd|ghs|ght|gh|hf)_[A-Za-z0-9]{4,}/g, '$1_…')
      .replace(/\b(bearer|authorization:?)\s+\S+/gi, '$1 …')
      .replace(/([?&](?:token|key|ticket|invitation|signature)=)[^&\s"]+/gi, '$1…')
      .replace(/\/\/[^\s/@:]+:[^\s/@]+@/g, '//…@')
      .replace(/[\w.+-]+@[\w-]+(\.[\w-]+)+/g, '…@…')
      .replaceAll(homedir(), '~')
      .replace(own(hostname()), 'this-machine')
      // A name such as "root" is nobody's.
      .replace(username === 'root' ? /$^/ : own(username), 'owner')
  )
}

const LOG_BYTES = 256 * 1024

/** The end of a log; empty where there is none. */
export function endOf(path: string): string {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch {
    return ''
  }
  try {
    const { size } = fstatSync(file)
    const bytes = Buffer.alloc(Math.min(size, LOG_BYTES))
    return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, size - bytes.length)).toString('utf8')
  } finally {
    closeSync(file)
  }
}
