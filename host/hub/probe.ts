// One measurement of this machine's line by its hub: it times, this machine only fetches and sends what it is told to.
import { mostTransferBytes, Probed } from '../../sdk/network.ts'
import { Type } from '@sinclair/typebox'
import { HostError } from '../errors.ts'
import { type HubAnswer, understood } from './ask.ts'
import { type Member, memberHeaders } from './member.ts'
import { madeUp } from './network.ts'

const MOST_MS = 60_000
const Wanted = Type.Object({ bytes: Type.Integer({ minimum: 1, maximum: mostTransferBytes }) })

/** `count` is told of the bytes that it took. @throws HostError when the hub cannot be measured against now */
export async function probeLine(
  member: Member,
  hostId: string,
  stopped: AbortSignal,
  count: (bytes: number) => void = () => {},
): Promise<Probed> {
  const { env, hub } = member
  const late = new AbortController()
  const cancel = env.timer(MOST_MS, () => late.abort(new Error('it takes too long')))
  const signal = AbortSignal.any([late.signal, stopped])
  const path = '/api/v1/hosts/network/probe'
  const host = `host=${encodeURIComponent(hostId)}`
  const ask = (address: string, sent: RequestInit = {}): Promise<Response> =>
    fetch(hub + address, {
      ...sent,
      headers: { ...memberHeaders(member), ...(sent.body ? { 'content-type': 'application/octet-stream' } : {}) },
      redirect: 'error',
      timeout: false,
      signal,
    })
  try {
    const download = await ask(`${path}?${host}`)
    if (!download.ok) throw new HostError(`The hub answers ${download.status}.`)
    const { length } = await download.bytes()
    count(length)
    if (length > mostTransferBytes) throw new HostError('The hub sends more than was agreed.')
    const received = await answerOf(await ask(`${path}/received?${host}&length=${length}`, { method: 'POST' }))
    const { bytes } = understood(Wanted, { hub, path }, received)
    count(bytes)
    const sent = await ask(`${path}?${host}`, { method: 'POST', body: madeUp(env, bytes) })
    return understood(Probed, { hub, path }, await answerOf(sent))
  } finally {
    cancel()
  }
}

async function answerOf(response: Response): Promise<HubAnswer> {
  const body: unknown = await response.json().catch(() => undefined)
  return { status: response.status, body }
}
