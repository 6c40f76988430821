// One chat request, from first byte to last cent. Read this file first.
import { admit, type Admission, whoAsks } from './admit.ts'
import { type Ask, type Format, readAsk } from './ask.ts'
import { readBytes } from './body.ts'
import type { Bearer } from '../identity/keyring.ts'
import type { Gateway } from './gateway.ts'
import { Run } from './run.ts'
import { streamed } from './streamed.ts'
import { whole } from './whole.ts'

export interface Call {
  request: Request
  requestId: string
  format: Format
  /** The body is read: from here on the connection may be quiet for as long as an engine needs. */
  keepOpen(): void
}

/**
 * Who asks, what for, may they, what can it cost; then that much is held, a host is asked, its tokens are counted as
 * they pass, and the end of the answer is sent once what it cost is settled.
 * @throws HubError while nothing has been sent; a failure after that travels in the stream.
 */
export async function complete(hub: Gateway, call: Call): Promise<Response> {
  const bearer = await whoAsks(hub, call.request)
  const ask = readAsk(call.format, await readBytes(hub.env, call.request))
  call.keepOpen()
  const admission = await admit(hub, bearer, ask, call.request.headers)
  const run = await begin(hub, call, bearer, ask, admission)
  return ask.stream ? streamed(hub, call, run) : whole(hub, call, run)
}

/** Takes a place and a hold. From here on the run owns both, and gives both back exactly once. */
async function begin(hub: Gateway, call: Call, bearer: Bearer, ask: Ask, admission: Admission): Promise<Run> {
  const { requestId: id } = call
  const leave = hub.running.enter({
    id,
    at: hub.env.now(),
    userId: bearer.userId,
    keyId: bearer.keyId,
    variant: admission.offer.id,
  })
  try {
    const hold = await hub.ledger.hold(bearer.account, admission.most)
    const run = new Run(hub, { id, bearer, ask, admission, hold, leave, failover: wantsFailover(call.request.headers) })
    call.request.signal.addEventListener('abort', () => run.abort())
    if (call.request.signal.aborted) run.abort()
    return run
  } catch (error) {
    leave()
    throw error
  }
}

/** A client may want the words of one host or none: then nothing that was begun goes on elsewhere. */
function wantsFailover(headers: Headers): boolean {
  const word = headers.get('x-gpuhub-no-failover')
  return word === null || /^(0|false|no|)$/i.test(word.trim())
}
