// The door for hosts: /hosts/link as Bun's own WebSocket handler. A token is checked before the upgrade, so that a
// stranger never gets a socket; everything after it happens in visit.ts and link.ts, synchronously.
import type { Server, ServerWebSocket, WebSocketHandler } from 'bun'
import { newId } from '../../sdk/env.ts'
import { closeCode } from '../../sdk/wire/frames.ts'
import { PROOF_HEADER } from '../../sdk/wire/machine-key.ts'
import type { Socket, SocketEvents } from '../../sdk/wire/socket.ts'
import type { Enrolment } from '../fleet/enrol.ts'
import type { Bearer } from '../fleet/token.ts'
import { asHubError, errorBody, errorHeaders, HubError } from '../errors.ts'
import { type Reception, Visit } from './visit.ts'

/** Hosts being checked, or connected and not yet welcomed: in all, and with one token. */
const MOST_ARRIVING = 2_000
const MOST_ARRIVING_PER_TOKEN = 100

/** What Bun keeps with a socket. */
export interface Visitor {
  bearer: Bearer
  events: SocketEvents | null
}

interface Options extends Reception {
  enrolment: Pick<Enrolment, 'host' | 'bearer'>
}

export class Door {
  private open = true
  private arriving = 0
  private readonly arrivingWith = new Map<string, number>()
  readonly websocket: WebSocketHandler<Visitor>

  constructor(private readonly options: Options) {
    this.websocket = {
      // Engine bytes hardly compress, and a compressed bomb is never unpacked.
      perMessageDeflate: false,
      // Twice what an honest host puts into one message.
      maxPayloadLength: 512 * 1024,
      // Above what a link lets wait for a host that does not read; Bun drops silently beyond it.
      backpressureLimit: 4 * 1024 * 1024,
      closeOnBackpressureLimit: true,
      // Beats decide who is alive, long before; this is for sockets that never became a link.
      idleTimeout: 60,
      sendPings: true,
      open: (ws) => {
        ws.data.events = this.visit(ws)
      },
      message: (ws, message) => {
        if (typeof message === 'string') ws.close(closeCode.malformed, 'text messages are not part of the protocol')
        else ws.data.events?.message(message)
      },
      close: (ws, code, reason) => ws.data.events?.closed(code, reason),
    }
  }

  /** Answers a request to /hosts/link: nothing when it became a WebSocket, else the refusal. */
  async upgrade(request: Request, server: Server<Visitor>): Promise<Response | undefined> {
    try {
      const token = /^Bearer +(\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1]
      const bearer = await this.check(token, request.headers.get(PROOF_HEADER))
      if (server.upgrade(request, { data: { bearer, events: null } })) return undefined
      this.arrived(bearer.tokenId)
      throw new HubError('invalid_request', 'This address takes WebSocket connections from gpuhost, nothing else.')
    } catch (error) {
      return this.refusal(error)
    }
  }

  /** A host that comes without a network, over a pair of sockets in memory: tests and simulation. @throws HubError */
  async receive(token: string, socket: Socket, proof: string | null = null): Promise<SocketEvents> {
    const bearer = await this.check(token, proof)
    return new Visit(this.options, bearer, socket, () => this.arrived(bearer.tokenId))
  }

  /** From now on no host gets in. */
  close(): void {
    this.open = false
  }

  /** Who comes, now counted as arriving. */
  private async check(token: string | undefined, proof: string | null): Promise<Bearer> {
    if (!this.open) throw new HubError('hub_unavailable', 'This hub is stopping. Connect again soon.')
    if (token === undefined)
      throw new HubError('invalid_api_key', 'A host token is missing: send `Authorization: Bearer TOKEN`.')
    if (this.arriving >= MOST_ARRIVING) throw busy()
    this.arriving++
    try {
      const bearer = await this.options.enrolment.bearer(token, proof)
      const same = this.arrivingWith.get(bearer.tokenId) ?? 0
      if (same >= MOST_ARRIVING_PER_TOKEN) throw busy()
      this.arrivingWith.set(bearer.tokenId, same + 1)
      return bearer
    } catch (error) {
      this.arriving--
      throw error
    }
  }

  private arrived(tokenId: string): void {
    this.arriving--
    const same = this.arrivingWith.get(tokenId) ?? 0
    if (same > 1) this.arrivingWith.set(tokenId, same - 1)
    else this.arrivingWith.delete(tokenId)
  }

  private visit(ws: ServerWebSocket<Visitor>): Visit {
    const { bearer } = ws.data
    return new Visit(this.options, bearer, socketOf(ws), () => this.arrived(bearer.tokenId))
  }

  private refusal(error: unknown): Response {
    const requestId = newId(this.options.env, 'req')
    const known = asHubError(error)
    if (!(error instanceof HubError))
      this.options.log.error('a host could not be checked', { request: requestId, error: String(error) })
    return Response.json(errorBody(known, requestId), {
      status: known.status,
      headers: { ...errorHeaders(known), 'x-request-id': requestId },
    })
  }
}

function busy(): HubError {
  return new HubError('hub_unavailable', 'Too many hosts connect at once. Connect again soon.')
}

function socketOf(ws: ServerWebSocket<Visitor>): Socket {
  return {
    // 0 means dropped; -1 means queued, which is as good as sent.
    send: (message) => ws.send(message) !== 0,
    close: (code, reason) => ws.close(code, reason),
    buffered: () => ws.getBufferedAmount(),
  }
}
