// `gpuhost login`: shows a code, and waits until the owner has typed it into the hub's page and approved this machine.
import { type Env, sleep } from '../../sdk/env.ts'
import { publicKeyOf, signed, signInText } from '../../sdk/wire/machine-key.ts'
import { type Home, makeHome } from '../config.ts'
import { HostError, printable, reason } from '../errors.ts'
import type { Survey } from '../hardware/survey.ts'
import { type Login, ownKey, saveLogin } from '../login.ts'
import { httpAddress } from '../tunnel/address.ts'
import { nameOf } from './start.ts'

export interface LoginSettings {
  hub: string
  name?: string
  simulateGpu?: string
  /** For whoever owns no hosts there yet: an invitation's code, or its whole link. */
  invitation?: string | undefined
}

export interface LoginWorld {
  env: Env
  home: Home
  version: string
  fetch: (url: string, init: RequestInit) => Promise<Response>
  /** What this machine is made of; `simulate` names a card it pretends to have. */
  survey: (simulate?: string) => Promise<Pick<Survey, 'cards'>>
  /** One line for the owner. */
  say: (line: string) => void
  /** The owner's answer; null, or absent: nobody is there to ask. */
  ask?: (question: string) => Promise<string | null>
  /** What is being waited for. */
  progress: (text: string) => void
}

const CLIENT = 'gpuhost'
const GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
const ANSWER_MS = 15_000
const MOST_TRIES = 3
const INVITED = 'New owners need an invitation here. Its code or link (Enter: you own machines there already): '
const MOST_BYTES = 64 * 1_024
/** Whatever a hub says: not more often, and not for ever. */
const SHORTEST_WAIT_SECONDS = 1
const LONGEST_WAIT_SECONDS = 60
const LONGEST_LIFE_SECONDS = 1_800
/** RFC 8628 3.5. */
const SLOW_DOWN_SECONDS = 5

/** @returns what was saved @throws HostError when it was refused, came too late, or the hub does not take machines */
export async function login(settings: LoginSettings, world: LoginWorld): Promise<Omit<Login, 'token'>> {
  const { env, home, version, say } = world
  const api = `${httpAddress(settings.hub)}/api/v1/device`
  makeHome(home)
  const key = ownKey(home, env)
  const name = nameOf(settings.name)
  const { cards } = await world.survey(settings.simulateGpu)
  const gpu = cards.length === 0 ? 'no GPU found' : cards.map((each) => each.name).join(', ')
  const began = await begin(world, `${api}/authorization`, settings.invitation, {
    ...{ client_id: CLIENT, machine_key: publicKeyOf(key), name, gpu: gpu.slice(0, 200), agent: version },
    time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  })
  const deviceCode = text(began, 'device_code')
  say('')
  if (began.body.sign_up_uri !== undefined)
    say(`  First, without an account there yet: ${printable(text(began, 'sign_up_uri')).slice(0, 300)}`)
  say(`  Open   ${printable(text(began, 'verification_uri')).slice(0, 300)}`)
  say(`  Type   ${printable(text(began, 'user_code')).slice(0, 20)}`)
  say('')
  say(`  The page shows this machine as “${name}” with ${printable(gpu).slice(0, 80)}. Approve only that.`)
  const token = await approved(world, `${api}/token`, began, {
    ...{ client_id: CLIENT, grant_type: GRANT, device_code: deviceCode, proof: signed(key, signInText(deviceCode)) },
  })
  const saved = { hub: settings.hub, tokenId: text(token, 'id'), owner: printable(text(token, 'owner')) }
  saveLogin(home, { ...saved, token: text(token, 'access_token') })
  return saved
}

/** Where new owners need an invitation, whoever sits here may type one. @throws HostError */
async function begin(
  world: LoginWorld,
  url: string,
  given: string | undefined,
  fields: Record<string, string>,
): Promise<Answer> {
  const invited = (typed: string) => ask(world, url, { ...fields, invitation: codeOf(typed) })
  const began = given === undefined ? await ask(world, url, fields) : await invited(given)
  if (began.status !== 200) throw refused(began)
  if (given !== undefined || began.body.by_invitation !== true) return began
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const typed = (await world.ask?.(INVITED)) ?? ''
    if (typed.trim() === '') return began
    const answer = await invited(typed)
    if (answer.status === 200) return answer
    world.say(refused(answer).message)
  }
  return began
}

/** People paste the whole link. */
function codeOf(typed: string): string {
  return typed
    .trim()
    .replace(/^.*[?&]invitation=([^&\s]*).*$/, '$1')
    .slice(0, 100)
}

async function approved(
  world: LoginWorld,
  url: string,
  began: Answer,
  question: Record<string, string>,
): Promise<Answer> {
  const { env, progress } = world
  let waitSeconds = within(number(began, 'interval', 5), SHORTEST_WAIT_SECONDS, LONGEST_WAIT_SECONDS)
  const until = env.mono() + within(number(began, 'expires_in', 600), 60, LONGEST_LIFE_SECONDS) * 1_000
  while (env.mono() < until) {
    progress(`waiting for your approval, ${Math.ceil((until - env.mono()) / 60_000)} min left`)
    await sleep(env, waitSeconds * 1_000)
    // A hub that is away for a moment knows the code when it is back.
    const answer = await ask(world, url, question).catch((error: unknown) => error as Error)
    if (answer instanceof Error || answer.status >= 500 || answer.status === 429) continue
    if (answer.status === 200) return answer
    const { error } = answer.body
    if (error === 'authorization_pending') continue
    if (error === 'slow_down') waitSeconds = within(waitSeconds + SLOW_DOWN_SECONDS, 0, LONGEST_WAIT_SECONDS)
    else if (error === 'access_denied') throw new HostError('The owner did not let this machine join.')
    else if (error === 'expired_token') break
    else throw refused(answer)
  }
  throw new HostError('Nobody typed the code in time. Run gpuhost login again.')
}

interface Answer {
  status: number
  body: Record<string, unknown>
}

/** A form, as RFC 8628 has it, and its JSON answer. @throws HostError when there is none */
async function ask({ env, fetch }: LoginWorld, url: string, fields: Record<string, string>): Promise<Answer> {
  const late = new AbortController()
  const cancel = env.timer(ANSWER_MS, () => late.abort(new Error(`no answer within ${ANSWER_MS / 1_000} s`)))
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
      body: new URLSearchParams(fields).toString(),
      redirect: 'error',
      signal: late.signal,
    })
    const body: unknown = JSON.parse(await limited(response))
    if (typeof body !== 'object' || body === null) throw new Error('the answer is no JSON object')
    return { status: response.status, body: body as Record<string, unknown> }
  } catch (error) {
    throw new HostError(`The hub at ${new URL(url).origin} does not answer as a hub does: ${printable(reason(error))}.`)
  } finally {
    cancel()
  }
}

async function limited(response: Response): Promise<string> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of response.body ?? []) {
    length += part.length
    if (length > MOST_BYTES) throw new Error('the answer is too long')
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

function text({ body }: Answer, name: string): string {
  const value = body[name]
  if (typeof value === 'string' && value !== '') return value
  throw new HostError(`The hub left out "${name}". Is it as old as this agent? Run gpuhost version.`)
}

function number({ body }: Answer, name: string, otherwise: number): number {
  const value = body[name]
  return typeof value === 'number' && Number.isFinite(value) ? value : otherwise
}

function within(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value))
}

/** In the hub's own words, where it has some. */
function refused({ status, body }: Answer): HostError {
  const { error } = body
  const said = typeof error === 'object' && error !== null ? Reflect.get(error, 'message') : error
  return new HostError(
    typeof said === 'string' ? `The hub says: ${printable(said).slice(0, 300)}` : `The hub answered ${status}.`,
  )
}
