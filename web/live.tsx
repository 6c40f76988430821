// The live parts of a page: one stream of server-sent events a page, each event the parts that changed, morphed in.
import type { VNode } from 'preact'
import { render } from 'preact-render-to-string'
import { HubError } from '../hub/errors.ts'
import type { MemberVisit } from './route.ts'

export interface LivePart {
  /** The id of the element it replaces. */
  id: string
  part: VNode
}

const LOOK_MS = 2_000
const KEEP_ALIVE_MS = 15_000
/** A browser keeps six connections to a host; a person has a few pages open. */
const MOST_PER_USER = 8
const MOST = 2_000
/** After this long the browser connects again, and is recognised again. */
const LONGEST_MS = 10 * 60_000
/** Events a browser may be behind; one that does not read misses the rest. */
const MOST_BEHIND = 16

const open = new Map<string, number>()
let total = 0

/** Takes a place; the returned function gives it back, once. @throws HubError `rate_limit_exceeded` */
function enter(userId: string): () => void {
  const mine = open.get(userId) ?? 0
  if (mine >= MOST_PER_USER || total >= MOST)
    throw new HubError('rate_limit_exceeded', 'Too many live pages are open. Close some; this one still reloads.')
  open.set(userId, mine + 1)
  total++
  let here = true
  return () => {
    if (!here) return
    here = false
    total--
    const left = (open.get(userId) ?? 1) - 1
    if (left > 0) open.set(userId, left)
    else open.delete(userId)
  }
}

/** Looks at once and then every two seconds; what looks the same as before is not sent again. */
export function live(
  { hub: { env, log, stopping }, request, guest }: MemberVisit,
  look: () => Promise<LivePart[]>,
): Response {
  const leave = enter(guest.user.id)
  const endsAt = env.mono() + LONGEST_MS
  const sent = new Map<string, string>()
  const encoder = new TextEncoder()
  let saidAt = env.mono()
  let over = false
  let cancel = () => {}
  let end = () => {}
  const stop = () => {
    over = true
    cancel()
    leave()
    stopping.removeEventListener('abort', end)
  }

  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const say = (text: string) => {
          if (over || (controller.desiredSize ?? 0) <= 0) return
          controller.enqueue(encoder.encode(text))
          saidAt = env.mono()
        }
        const round = async () => {
          const parts = await changed().catch((error) => {
            log.warn('a live part failed', { error: String(error) })
            return []
          })
          if (parts.length > 0) say(`${parts.join('\n').replace(/^/gm, 'data: ')}\n\n`)
          else if (env.mono() - saidAt >= KEEP_ALIVE_MS) say(': here\n\n')
          if (over) return
          if (env.mono() < endsAt && !stopping.aborted) cancel = env.timer(LOOK_MS, () => void round())
          else end()
        }
        end = () => {
          if (over) return
          stop()
          controller.close()
        }
        stopping.addEventListener('abort', end)
        void round()
      },
      cancel: stop,
    },
    { highWaterMark: MOST_BEHIND },
  )
  request.signal.addEventListener('abort', stop)
  return new Response(body, {
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' },
  })

  async function changed(): Promise<string[]> {
    const parts = await look()
    return parts.flatMap(({ id, part }) => {
      const html = render(part)
      if (sent.get(id) === html) return []
      sent.set(id, html)
      return [`<hx-partial hx-target="#${id}" hx-swap="outerMorph">${html}</hx-partial>`]
    })
  }
}
