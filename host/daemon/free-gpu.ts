import { type Env, sleep } from '../../sdk/env.ts'
import type { Engine } from '../engine/engine.ts'
import { reason } from '../errors.ts'
import type { Log } from '../log.ts'
import { aborted } from './stopping.ts'

/** For an engine to end by itself once nothing is asked of it … */
const ENGINE_STOP_MS = 5_000
/** … and by force. */
const ENGINE_KILL_MS = 2_000

export interface Worker {
  env: Env
  log: Log
  engine: Engine
}

/**
 * An engine that does not end in good time, or that should end now, is ended by force; it is never waited for longer.
 * False: it has not ended.
 */
export async function freeTheGpu({ env, log, engine }: Worker, now: AbortSignal): Promise<boolean> {
  const late = new AbortController()
  const over = new AbortController()
  void sleep(env, ENGINE_STOP_MS, AbortSignal.any([over.signal, now])).then(() => late.abort())
  const tooLate = aborted(late.signal).then(() => sleep(env, ENGINE_KILL_MS, over.signal))
  const stopped = engine.stop(late.signal).then(
    () => true,
    (error: unknown) => (log.error('the engine did not stop well', { why: reason(error) }), true),
  )
  const ended = await Promise.race([stopped, tooLate.then(() => false)])
  if (!ended) log.error('the engine does not end', { after: 'force' })
  over.abort()
  return ended
}
