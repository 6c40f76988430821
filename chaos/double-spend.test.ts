import { describe, expect, test } from 'bun:test'
import { testDialects } from '../db/testing.ts'
import { oracle } from '../host/testing.ts'
import { charge, usdDecimal } from '../sdk/money.ts'
import { type HubProcess, startWorld } from './processes.ts'

const REQUESTS = 2_000
const AFFORDED = 10
const ask = { model: 'gpuhub/emulator', messages: [{ role: 'user', content: 'Why is the sky blue?' }], max_tokens: 16 }
/** Every answer runs into its limit, so it costs exactly what was held for it. */
const each = charge({ prompt: 20_000, completion: 100_000 }, { prompt: oracle(ask).prompt.length, completion: 16 })

describe.each(testDialects)('two thousand requests at once against credit for ten, on %s', (database) => {
  test(database === 'postgres' ? 'and two hubs: exactly ten are answered' : 'exactly ten are answered', async () => {
    const world = await startWorld(database)
    try {
      const hubs = [await world.startHub(), ...(database === 'postgres' ? [await world.startHub()] : [])]
      const hosts = []
      for (const [at, hub] of hubs.entries()) hosts.push(await world.startHost(hub, `host${at}`))
      for (const { engine } of hosts) engine.block()
      const { email, key } = await world.client(usdDecimal(each * BigInt(AFFORDED)))

      const statuses = new Map<number, number>()
      const refused = Promise.withResolvers<void>()
      const answers = Array.from({ length: REQUESTS }, async (_, at) => {
        const status = await post(hubs[at % hubs.length]!, key)
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
        if ((statuses.get(402) ?? 0) === REQUESTS - AFFORDED) refused.resolve()
      })
      // The ten wait in their engines until everybody else was told.
      await Promise.race([refused.promise, Promise.all(answers)])
      for (const { engine } of hosts) engine.release()
      await Promise.all(answers)
      expect(Object.fromEntries(statuses)).toEqual({ 200: AFFORDED, 402: REQUESTS - AFFORDED })

      for (const hub of hubs) await hub.stop()
      const show = await world.command<{ balanceNanos: string }>('ledger', 'show', email)
      expect(show.balanceNanos).toBe('0')
      expect(await world.command('ledger', 'check')).toMatchObject({
        ok: true,
        sum: '0',
        openHolds: 0,
        requests: AFFORDED,
      })
    } finally {
      await world.close()
    }
  }, 120_000)
})

/** On a connection of its own: clients that share connections would not be two thousand at once. */
function post({ port }: HubProcess, key: string): Promise<number> {
  const body = JSON.stringify(ask)
  const head = `POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n`
  return new Promise((resolve, reject) => {
    let answer = ''
    const status = () => resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0))
    void Bun.connect({
      hostname: '127.0.0.1',
      port,
      socket: {
        open: (socket) => void socket.write(head + body),
        data(socket, bytes) {
          answer += bytes.toString('latin1')
          if (!/\r\n\r\n/.test(answer)) return
          status()
          socket.end()
        },
        close: status,
        error: (_, error) => reject(error),
        connectError: (_, error) => reject(error),
      },
    }).catch(reject)
  })
}
