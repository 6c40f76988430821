// An answer as one JSON body. The engine streams all the same: one path, one meter, one attempt loop.
import { usdDecimal } from '../../sdk/money.ts'
import type { Call } from './complete.ts'
import type { Gateway } from './gateway.ts'
import { answerHeaders } from './headers.ts'
import type { Run } from './run.ts'

const JSON_TYPE = { 'content-type': 'application/json;charset=utf-8' }

export async function whole(hub: Gateway, call: Call, run: Run): Promise<Response> {
  try {
    const finisher = await run.run({ piece() {}, whenTaken: (then) => then() })
    const { usage, facts, cost } = await run.complete(finisher)
    const body = JSON.stringify(run.shape.whole(run.head, run.choices, usage, facts))
    const headers = { ...answerHeaders(call, run), ...JSON_TYPE, 'x-gpuhub-cost': usdDecimal(cost) }
    const kept = await call.first?.keep({ headers, body })
    // By then the server has handed the body to the network, or knows that nobody is there.
    hub.env.soon(() => {
      if (!call.request.signal.aborted) hub.ledger.delivered(call.requestId)
      // What is kept can still be fetched.
      else if (!kept) hub.ledger.refund(call.requestId)
    })
    return new Response(body, { headers })
  } catch (error) {
    await run.giveUp(error, [])
    throw error
  } finally {
    hub.env.soon(() => hub.live.leave(run))
  }
}
