// One chat request, from first byte to last cent. Read this file first.
import { admit, type Admission } from './admit.ts'
import { type Ask, type Format, readAsk } from './ask.ts'
import { enter } from './enter.ts'
import type { Bearer } from '../identity/keyring.ts'
import type { Gateway } from './gateway.ts'
import { once } from './once.ts'
import type { First } from './onces.ts'
import type { Quota } from './quotas.ts'
import { Run } from './run.ts'
import { streamed } from './streamed.ts'
import { type Caller, whoAsks } from './who.ts'
import { whole } from './whole.ts'

export interface Call extends Caller {
  requestId: string
  format: Format
  /** What it counts against; null: nothing. */
  quota: Quota | null
  /** It came with an idempotency key, and is the first with it. */
  first: First | null
}

/**
 * Who asks, what for, may they, what can it cost; then that much is held, a host is asked, its tokens are counted as
 * they pass, and the end of the answer is sent once what it cost is settled.
 * @throws HubError while nothing has been sent; a failure after that travels in the stream.
 */
export async function complete(hub: Gateway, call: Call): Promise<Response> {
  const bearer = await whoAsks(hub, call)
  call.quota = hub.quotas.begin(bearer)
  const body = await hub.bodies.readJson(call.request)
  const ask = readAsk(call.format, body)
  // The body is read: from here on the connection may be quiet for as long as an engine needs.
  call.connection.quietFor(0)
  return once(hub, call, { bearer, ask, body }, async () => {
    const admission = await admit(hub, bearer, ask, call.request.headers)
    const run = await begin(hub, call, bearer, ask, admission)
    return ask.stream ? streamed(hub, call, run) : whole(hub, call, run)
  })
}

/** Takes a place and a hold. From here on the run owns both, and gives both back exactly once. */
async function begin(hub: Gateway, call: Call, bearer: Bearer, ask: Ask, admission: Admission): Promise<Run> {
  const { requestId: id } = call
  const leave = await enter(hub, call, bearer, ask, admission)
  try {
    const hold = await hub.ledger.hold(bearer.account, admission.most)
    const run = new Run(hub, { id, bearer, ask, admission, hold, leave, failover: wantsFailover(call.request.headers) })
    call.request.signal.addEventListener('abort', () => run.abort())
    if (call.request.signal.aborted) run.abort()
    hub.live.enter(run)
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
