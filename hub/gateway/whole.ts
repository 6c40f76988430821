// An answer as one JSON body. The engine streams all the same: one path, one meter, one attempt loop.
import { usdDecimal } from '../../sdk/money.ts'
import type { Call } from './complete.ts'
import type { Gateway } from './gateway.ts'
import { answerHeaders } from './headers.ts'
import type { Run } from './run.ts'

export async function whole(hub: Gateway, call: Call, run: Run): Promise<Response> {
  try {
    const finisher = await run.run({ piece() {}, whenTaken: (then) => then() })
    const { usage, facts, cost } = await run.complete(finisher)
    const body = run.shape.whole(run.head, run.choices, usage, facts)
    // By then the server has handed the body to the network, or knows that nobody is there.
    hub.env.soon(() =>
      call.request.signal.aborted ? hub.ledger.refund(call.requestId) : hub.ledger.delivered(call.requestId),
    )
    return Response.json(body, { headers: { ...answerHeaders(call, run), 'x-gpuhub-cost': usdDecimal(cost) } })
  } catch (error) {
    await run.giveUp(error, [])
    throw error
  }
}
