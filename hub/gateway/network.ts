// What a host measures its line against: short echoes, and some bytes down and up. For machines with a host token only,
// so many an hour, a few at a time: a hub's own line is for answers.
import { t } from 'elysia'
import type { Env } from '../../sdk/env.ts'
import { mostTransferBytes, Probed } from '../../sdk/network.ts'
import { HubError } from '../errors.ts'
import { ProbeBook } from '../fleet/probes.ts'
import type { Limit } from '../identity/limits.ts'
import { hostRoutes } from './host-routes.ts'
import { machineOf } from './hosting.ts'
import type { Platform } from './platform.ts'

/** At a time, of all machines. */
const MOST_TRANSFERS = 4
/** A line that is slower has been measured by then. */
const TRANSFER_MS = 30_000
const PIECE_BYTES = 64 * 1024

const host = t.String({ minLength: 1, maxLength: 80, description: 'Of the host, as the hub’s welcome says it.' })

export function networkApi(hub: Platform) {
  const transfers = new Transfers()
  const probes = new ProbeBook(hub.env, hub.db, hub.awake, () => hub.policy.current())
  return hostRoutes(hub, '/api/v1/hosts/network')
    .get(
      '/echo',
      async ({ request, set }) => {
        await machine(hub, request, 'echoBy')
        set.status = 204
      },
      { detail: { summary: 'For a host: nothing, at once', security: [{ hostToken: [] }] } },
    )
    .get(
      '/bytes',
      async ({ request, query }) => {
        await machine(hub, request, 'networkTestBy')
        return sent(hub.env, query.length, transfers.begin())
      },
      {
        query: t.Object({
          length: t.Integer({ minimum: 1, maximum: mostTransferBytes, description: 'How many bytes.' }),
        }),
        detail: { summary: 'For a host: bytes to measure its line by', security: [{ hostToken: [] }] },
      },
    )
    .post(
      '/bytes',
      async ({ request }) => {
        await machine(hub, request, 'networkTestBy')
        const over = transfers.begin()
        try {
          return { length: (await hub.bodies.read(request, mostTransferBytes)).length }
        } finally {
          over()
        }
      },
      {
        parse: 'none',
        response: { 200: t.Object({ length: t.Integer({ description: 'How many arrived.' }) }) },
        detail: { summary: 'For a host: takes bytes, to measure its line by', security: [{ hostToken: [] }] },
      },
    )
    .get(
      '/probe',
      async ({ request, query }) => {
        const { ownerId, tokenId } = await machineOf(hub, request)
        hub.identity.limits.take('probeBy', `${tokenId} ${query.host}`)
        const over = transfers.begin()
        try {
          const { bytes } = await probes.begin(query.host, ownerId)
          return sent(hub.env, bytes, over)
        } catch (error) {
          over()
          throw error
        }
      },
      {
        query: t.Object({ host }),
        detail: {
          summary: 'For a host that is linked: begins a measurement of its line, timed by the hub',
          security: [{ hostToken: [] }],
        },
      },
    )
    .post(
      '/probe/received',
      async ({ request, query }) => {
        const { ownerId } = await machineOf(hub, request)
        return probes.received(query.host, ownerId, query.length)
      },
      {
        parse: 'none',
        query: t.Object({ host, length: t.Integer({ minimum: 1, maximum: mostTransferBytes }) }),
        response: { 200: t.Object({ bytes: t.Integer({ description: 'How many it is to send now.' }) }) },
        detail: { summary: 'For a host: all of it has arrived', security: [{ hostToken: [] }] },
      },
    )
    .post(
      '/probe',
      async ({ request, query }) => {
        const { ownerId } = await machineOf(hub, request)
        const over = transfers.begin()
        try {
          const { length } = await hub.bodies.read(request, mostTransferBytes)
          return await probes.end(query.host, ownerId, length)
        } finally {
          over()
        }
      },
      {
        parse: 'none',
        query: t.Object({ host }),
        response: { 200: Probed },
        detail: { summary: 'For a host: ends the measurement', security: [{ hostToken: [] }] },
      },
    )
}

/** @throws HubError */
async function machine(hub: Platform, request: Request, limit: Limit): Promise<void> {
  const { tokenId } = await machineOf(hub, request)
  hub.identity.limits.take(limit, tokenId)
}

class Transfers {
  private running = 0

  /** Call what it returns when the transfer is over; more than once does no harm. @throws HubError */
  begin(): () => void {
    if (this.running >= MOST_TRANSFERS)
      throw new HubError('hub_unavailable', 'Other hosts measure their lines just now. Try again in a moment.', {
        retryAfterSeconds: 3,
      })
    this.running++
    let over = false
    return () => {
      if (!over) this.running--
      over = true
    }
  }
}

/** Bytes nobody on the way can squeeze, as fast as they are read. */
function sent(env: Env, length: number, over: () => void): Response {
  const piece = env.random(PIECE_BYTES)
  let left = length
  let cancel = () => {}
  const end = () => {
    cancel()
    over()
  }
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      cancel = env.timer(TRANSFER_MS, () => {
        over()
        controller.error(new Error('the line is too slow'))
      })
    },
    pull(controller) {
      const bytes = left < piece.length ? piece.slice(0, left) : piece.slice()
      left -= bytes.length
      controller.enqueue(bytes)
      if (left > 0) return
      end()
      controller.close()
    },
    cancel: end,
  })
  return new Response(body, {
    headers: { 'content-type': 'application/octet-stream', 'content-length': String(length) },
  })
}
