// HuggingFace, or a mirror of it, over plain HTTP: redirects to its storage are followed by hand, for the owner's token is
// for the site itself and not for wherever it sends us.
import { type Env, sleep } from '../../sdk/env.ts'
import { HostError, printable, reason } from '../errors.ts'

export interface Source {
  env: Env
  /** `https://huggingface.co` or a mirror, without a slash at the end. */
  endpoint: string
  /** The owner's own, for repositories whose publisher wants to know who downloads. */
  token?: string
  /** Told of what has come. @throws HostError to end the download there */
  count?: (bytes: number) => void
}

export const HUGGING_FACE = 'https://huggingface.co'

/** Something that may be better in a moment: a busy site, a connection that broke. */
export class Weather extends Error {
  constructor(
    message: string,
    /** As the site asked for. */
    readonly waitMs: number | null = null,
  ) {
    super(message)
  }
}

export interface Get {
  /** After the endpoint. */
  path: string
  repo: string
  headers?: Record<string, string>
  signal: AbortSignal
}

/** Tries in a row that bring nothing. Each waits twice as long as the one before. */
const MOST_TRIES = 6
const FIRST_WAIT_MS = 1_000

/**
 * Waits before the try after `tries` that brought nothing: up to half again by chance, so that many hosts do not come
 * back at the same moment. @throws HostError when it was tried often enough, or waiting will not help
 */
export async function waitForBetter(source: Source, tries: number, error: unknown, signal: AbortSignal): Promise<void> {
  if (signal.aborted) throw stopped()
  if (error instanceof HostError) throw error
  if (tries >= MOST_TRIES)
    throw new HostError(
      `${new URL(source.endpoint).host} cannot be read from: ${printable(reason(error))}. ` +
        'Check the network. What has arrived is kept; start again later.',
    )
  const asked = error instanceof Weather ? error.waitMs : null
  const chance = 1 + (source.env.random(1)[0] ?? 0) / 512
  await sleep(source.env, (asked ?? FIRST_WAIT_MS * 2 ** (tries - 1)) * chance, signal)
  if (signal.aborted) throw stopped()
}

export const stopped = () => new HostError('The download was stopped. It goes on where it was when started again.')

const MOST_REDIRECTS = 5

/** A response of 200 or 206. @throws HostError where waiting will not help, else Weather or what the connection throws */
export async function get(source: Source, { path, repo, headers = {}, signal }: Get): Promise<Response> {
  let address = new URL(source.endpoint + path)
  for (let hop = 0; ; hop++) {
    const own = source.token !== undefined && address.origin === new URL(source.endpoint).origin
    const response = await fetch(address, {
      // Ranges are of the file itself.
      headers: {
        ...headers,
        'accept-encoding': 'identity',
        ...(own ? { authorization: `Bearer ${source.token}` } : {}),
      },
      redirect: 'manual',
      timeout: false,
      signal,
    })
    const location = response.headers.get('location')
    if (response.status < 300 || response.status >= 400 || location === null) return checked(source, repo, response)
    await response.body?.cancel()
    if (hop === MOST_REDIRECTS) throw new HostError(`${source.endpoint} sends ${path} round in circles.`)
    const next = new URL(location, address)
    if (address.protocol === 'https:' && next.protocol !== 'https:')
      throw new HostError(`${source.endpoint} redirects to a plain address. Use another mirror (HF_ENDPOINT).`)
    address = next
  }
}

async function checked(source: Source, repo: string, response: Response): Promise<Response> {
  const { status, headers } = response
  if (status === 200 || status === 206) return response
  await response.body?.cancel()
  if (status === 429 || status === 408 || status >= 500)
    throw new Weather(`${new URL(source.endpoint).host} answers ${status}`, retryAfter(headers))
  throw refusal(source, repo, status, headers.get('x-error-code'))
}

/** Longest wait a site may ask for. */
const MOST_WAIT_MS = 5 * 60_000

function retryAfter(headers: Headers): number | null {
  const seconds = Number(headers.get('retry-after') ?? Number.NaN)
  return seconds >= 0 ? Math.min(seconds * 1_000, MOST_WAIT_MS) : null
}

function refusal({ endpoint, token }: Source, repo: string, status: number, code: string | null): HostError {
  const page = `${endpoint}/${repo}`
  const access = `then make a token with read access at ${endpoint}/settings/tokens and set HF_TOKEN`
  if (code === 'GatedRepo') {
    const have = 'Its publisher wants to know who downloads it.'
    return token === undefined
      ? new HostError(`${repo} is gated. ${have} Sign in at ${page}, accept its terms, ${access}.`)
      : new HostError(
          `${repo} is gated, and the account of your HF_TOKEN has no access yet. Accept its terms at ${page}, then try again.`,
        )
  }
  if (status === 401 && token !== undefined)
    return new HostError(`HuggingFace does not accept HF_TOKEN. Make a new one at ${endpoint}/settings/tokens.`)
  if (status === 401 || status === 403)
    return new HostError(
      `${page} may not be read without an account that has access. Open it while signed in, ${access}.`,
    )
  if (status === 404)
    return new HostError(`${page} has no such file or version any more. Run gpuhost update, then try again.`)
  return new HostError(
    `${page} cannot be downloaded: ${endpoint} answers ${status}${code === null ? '' : ` (${printable(code)})`}.`,
  )
}
