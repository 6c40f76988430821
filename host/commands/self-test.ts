// `gpuhost self-test`: whether this program works on this machine at all. A newer one is asked before it is put in use.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Env } from '../../sdk/env.ts'
import { PROTOCOL } from '../../sdk/wire/frames.ts'
import { isSigned, machineKey, publicKeyOf, signed } from '../../sdk/wire/machine-key.ts'
import { openControl } from '../daemon/control.ts'
import { HostError } from '../errors.ts'
import { holdAlone } from '../lock.ts'

export interface SelfTest {
  version: string
  protocol: number
  /** How many keys it takes updates from. */
  releaseKeys: number
}

/** What every agent needs: locks, a socket, signatures. @throws HostError, or whatever does not work here */
export async function selfTest(env: Env, version: string, keys: readonly string[]): Promise<SelfTest> {
  const folder = mkdtempSync(join(tmpdir(), 'gpuhost-self-test-'))
  try {
    const release = holdAlone(join(folder, 'lock'))
    if (!release || holdAlone(join(folder, 'lock'))) throw new HostError('Locks do not hold here.')
    release()
    const key = machineKey(env.random(32))
    if (!isSigned(publicKeyOf(key), version, signed(key, version))) throw new HostError('Signatures do not hold here.')
    const never = () => {
      throw new HostError('Nobody asks this agent.')
    }
    await openControl(join(folder, 'socket'), { status: never, stop: never, renew: never })()
    return { version, protocol: PROTOCOL, releaseKeys: keys.length }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
