// A hundred thousand guesses: none is right, and nearly all are refused before they are looked up.
import { afterEach, describe, expect, test } from 'bun:test'
import { testDialects } from '../../../db/testing.ts'
import { machineKey, publicKeyOf } from '../../../sdk/wire/machine-key.ts'
import { beginDevice, findDevice } from '../../fleet/sign-in.ts'
import type { Caller } from '../../identity/caller.ts'
import { addInvitation, findInvitation } from '../../identity/invitations.ts'
import { makeSecret } from '../../identity/secret.ts'
import { addUser } from '../../identity/users.ts'
import { HUB_URL, startHub, type TestHub } from '../../testing.ts'

const GUESSES = 100_000
const from = (address: string): Caller => ({ address, agent: '', country: null })

describe.each(testDialects)('guesses on %s', (database) => {
  let hub: TestHub
  afterEach(async () => hub?.[Symbol.asyncDispose]())

  async function outcomes(guess: (at: number) => Promise<unknown>) {
    const counts: Record<string, number> = {}
    for (let at = 0; at < GUESSES; at++) {
      const outcome = await guess(at).then(
        () => 'in',
        (error) => String(error.code),
      )
      counts[outcome] = (counts[outcome] ?? 0) + 1
    }
    return counts
  }

  test('at invitations, by somebody who knows their form', async () => {
    hub = await startHub({ database })
    const { env, world } = hub
    const { identity } = hub.hub.platform
    const office = { env, db: world.db, url: HUB_URL, sends: false }
    for (let i = 0; i < 20; i++) await addInvitation(office, 'command line', { roles: ['client'], credit: 0n })
    const guess = () => findInvitation(identity, from('203.0.113.7'), makeSecret(env, 'ghi').secret)
    expect(await outcomes(guess)).toEqual({ invitation_not_valid: 5, rate_limit_exceeded: GUESSES - 5 })
  })

  test('at the codes of machines, by one owner and from one address', async () => {
    hub = await startHub({ database })
    const { env, world } = hub
    const { identity } = hub.hub.platform
    const claim = { name: 'rig', gpu: 'RTX 4090', agent: '1', timeZone: null }
    for (let i = 0; i < 20; i++) {
      const key = publicKeyOf(machineKey(env.random(32)))
      await beginDevice(identity, from(`198.51.100.${i}`), { key, ...claim })
    }
    const letters = 'BCDFGHJKLMNPQRSTVWXZ'
    const code = () => Array.from(env.random(8), (byte) => letters[byte % 20]).join('')
    const mallory = await addUser(env, world.db, { email: 'mallory@example.com', roles: ['host'] })
    // Another address for each guess does not help one owner …
    const byOne = (at: number) =>
      findDevice(identity, from(`10.${(at >> 16) & 255}.${(at >> 8) & 255}.${at & 255}`), mallory, code())
    expect(await outcomes(byOne)).toEqual({ wrong_code: 10, rate_limit_exceeded: GUESSES - 10 })
    // … nor another owner for each guess one address.
    const asMany = (at: number) => findDevice(identity, from('203.0.113.7'), { ...mallory, id: `usr_${at}` }, code())
    expect(await outcomes(asMany)).toEqual({ wrong_code: 10, rate_limit_exceeded: GUESSES - 10 })
  })
})
