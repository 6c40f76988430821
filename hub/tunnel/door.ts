// The door for hosts: /hosts/link as Bun's own WebSocket handler. A token is checked before the upgrade, so that a
// stranger never gets a socket; everything after it happens in visit.ts and link.ts, synchronously.
import type { Server, ServerWebSocket, WebSocketHandler } from 'bun'
import { newId } from '../../sdk/env.ts'
import { closeCode } from '../../sdk/wire/frames.ts'
import { PROOF_HEADER } from '../../sdk/wire/machine-key.ts'
import type { Socket, SocketEvents } from '../../sdk/wire/socket.ts'
import { type Enrolment, MOST_HOSTS_PER_OWNER } from '../fleet/enrol.ts'
import type { Bearer } from '../fleet/token.ts'
import { asHubError, errorBody, errorHeaders, HubError } from '../errors.ts'
import { limitKey } from '../identity/caller.ts'
import { hashSecret } from '../identity/secret.ts'
import { Rate } from './rate.ts'
import { PER_MACHINE, type Reception, Visit } from './visit.ts'

/** Hosts being checked, or connected and not yet welcomed: in all, and with one token. */
const MOST_ARRIVING = 2_000
const MOST_ARRIVING_PER_TOKEN = 100
/** From one address: a whole hall of hosts may come back at once. Counted before anything is looked up. */
const PER_ADDRESS = { atOnce: 1_000, perSecond: 20 }
/** With one token: all an owner's hosts, twice. */
const PER_TOKEN = { atOnce: 2 * MOST_HOSTS_PER_OWNER, perSecond: 10 }
/** Tokens that are none, from one address. */
const WRONG_TOKENS = { atOnce: 20, perSecond: 1 / 6 }
/** Tokens that were good a while ago: whoever shares an address with somebody who guesses is let in all the same. */
const MOST_GOOD = 10_000

/** What Bun keeps with a socket. */
export interface Visitor {
  bearer: Bearer
  events: SocketEvents | null
}

interface Options extends Omit<Reception, 'machines'> {
  enrolment: Pick<Enrolment, 'host' | 'bearer'>
}

export class Door {
  private open = true
  private arriving = 0
  private readonly arrivingWith = new Map<string, number>()
  private readonly rates: Record<'address' | 'token' | 'wrong', Rate>
  private readonly reception: Reception
  /** Hashes. */
  private readonly good = new Set<string>()
  readonly websocket: WebSocketHandler<Visitor>

  constructor(private readonly options: Options) {
    const { env } = options
    this.rates = {
      address: new Rate(env, PER_ADDRESS),
      token: new Rate(env, PER_TOKEN),
      wrong: new Rate(env, WRONG_TOKENS),
    }
    this.reception = { ...options, machines: new Rate(env, PER_MACHINE) }
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

  /**
   * Answers a request to /hosts/link: nothing when it became a WebSocket, else the refusal. `address` is the visitor's;
   * null where all would look alike.
   */
  async upgrade(request: Request, server: Server<Visitor>, address: string | null): Promise<Response | undefined> {
    try {
      const token = /^Bearer +(\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1]
      const proof = request.headers.get(PROOF_HEADER)
      const bearer = await this.check(token, proof, address && limitKey(address))
      if (server.upgrade(request, { data: { bearer, events: null } })) return undefined
      this.arrived(bearer.tokenId)
      throw new HubError('invalid_request', 'This address takes WebSocket connections from gpuhost, nothing else.')
    } catch (error) {
      return this.refusal(error)
    }
  }

  /** A host that comes without a network, over a pair of sockets in memory: tests and simulation. @throws HubError */
  async receive(token: string, socket: Socket, proof: string | null = null): Promise<SocketEvents> {
    const bearer = await this.check(token, proof, null)
    return new Visit(this.reception, bearer, socket, () => this.arrived(bearer.tokenId))
  }

  /** From now on no host gets in. */
  close(): void {
    this.open = false
  }

  /** Who comes, now counted as arriving. */
  private async check(token: string | undefined, proof: string | null, address: string | null): Promise<Bearer> {
    const { rates } = this
    if (!this.open) throw new HubError('hub_unavailable', 'This hub is stopping. Connect again soon.')
    if (address !== null && !rates.address.take(address)) throw tooOften(rates.address.waitSeconds(address))
    if (token === undefined)
      throw new HubError('invalid_api_key', 'A host token is missing: send `Authorization: Bearer TOKEN`.')
    const hash = hashSecret(token)
    if (address !== null && rates.wrong.spent(address) && !this.good.has(hash)) throw guessing(rates.wrong, address)
    if (this.arriving >= MOST_ARRIVING) throw busy()
    this.arriving++
    try {
      const bearer = await this.options.enrolment.bearer(token, proof)
      this.remember(hash)
      if (!rates.token.take(bearer.tokenId)) throw tooOften(rates.token.waitSeconds(bearer.tokenId))
      const same = this.arrivingWith.get(bearer.tokenId) ?? 0
      if (same >= MOST_ARRIVING_PER_TOKEN) throw busy()
      this.arrivingWith.set(bearer.tokenId, same + 1)
      return bearer
    } catch (error) {
      this.arriving--
      if (address !== null && error instanceof HubError && error.code === 'invalid_api_key') {
        this.good.delete(hash)
        rates.wrong.take(address)
      }
      throw error
    }
  }

  private remember(hash: string): void {
    this.good.delete(hash)
    this.good.add(hash)
    if (this.good.size > MOST_GOOD) for (const oldest of this.good) return void this.good.delete(oldest)
  }

  private arrived(tokenId: string): void {
    this.arriving--
    const same = this.arrivingWith.get(tokenId) ?? 0
    if (same > 1) this.arrivingWith.set(tokenId, same - 1)
    else this.arrivingWith.delete(tokenId)
  }

  private visit(ws: ServerWebSocket<Visitor>): Visit {
    const { bearer } = ws.data
    return new Visit(this.reception, bearer, new BunSocket(ws), (link) => {
      this.arrived(bearer.tokenId)
      // What is no longer needed of the visit goes with it.
      if (link) ws.data.events = link
    })
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

function tooOften(retryAfterSeconds: number): HubError {
  return new HubError('rate_limit_exceeded', 'Hosts connect too often from here. Connect again a little later.', {
    retryAfterSeconds,
  })
}

function guessing(rate: Rate, address: string): HubError {
  return new HubError(
    'rate_limit_exceeded',
    'Too many invalid host tokens came from your network. Check the token, and connect again a little later.',
    { retryAfterSeconds: rate.waitSeconds(address) },
  )
}

function busy(): HubError {
  return new HubError('hub_unavailable', 'Too many hosts connect at once. Connect again soon.')
}

/** A class, not three closures: there is one for each of ten thousand hosts. */
class BunSocket implements Socket {
  constructor(private readonly ws: ServerWebSocket<Visitor>) {}

  send(message: Uint8Array): boolean {
    // 0 means dropped; -1 means queued, which is as good as sent.
    return this.ws.send(message) !== 0
  }

  close(code: number, reason: string): void {
    this.ws.close(code, reason)
  }

  buffered(): number {
    return this.ws.getBufferedAmount()
  }
}
