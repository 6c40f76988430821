// `gpuhost weights`: what is on the shelf, for a person, and how a download goes.
import type { Env } from '../../sdk/env.ts'
import type { Progress } from '../weights/progress.ts'
import type { Shelved } from '../weights/shelf.ts'
import { gb } from './probe.ts'
import { duration } from './status.ts'

export const SHELF_HEADER = ['name', 'model', 'size', 'state', 'last used']

export function shelfRow({ name, manifest, bytes, pinned, inUse, usedAt }: Shelved, env: Pick<Env, 'now'>): string[] {
  const states = [...(manifest ? [] : ['incomplete']), ...(inUse ? ['in use'] : []), ...(pinned ? ['pinned'] : [])]
  const ago = duration(Math.max(0, Math.floor((env.now() - usedAt) / 1_000)))
  return [name, manifest?.variant ?? '?', gb(bytes), states.join(', ') || 'ready', `${ago} ago`]
}

/** One line that fits a terminal: `▕██████    ▏ 61 %  10.0 of 16.4 GB, 42 MB/s, 2 min 31 s left  model-00003…` */
export function describeProgress(progress: Progress): string {
  const { phase, file, doneBytes, totalBytes, bytesPerSecond, secondsLeft } = progress
  const share = totalBytes === 0 ? 1 : doneBytes / totalBytes
  const full = Math.floor(share * BAR)
  const speed = bytesPerSecond === null ? '' : `, ${(bytesPerSecond / 1e6).toFixed(bytesPerSecond < 1e7 ? 1 : 0)} MB/s`
  const left = secondsLeft === null ? '' : `, ${duration(secondsLeft)} left`
  const how = phase === 'verifying' ? ', checking' : `${speed}${left}`
  const amount = `${(doneBytes / 1e9).toFixed(1)} of ${(totalBytes / 1e9).toFixed(1)} GB`
  const bar = `▕${'█'.repeat(full)}${' '.repeat(BAR - full)}▏`
  return `${bar} ${Math.floor(share * 100)} %  ${amount}${how}  ${file}`.slice(0, WIDTH)
}

const BAR = 20
const WIDTH = 110
