// The few words of Docker's API that are needed, over its unix socket.
import type { Env } from '../../../sdk/env.ts'
import { HostError, printable, reason } from '../../errors.ts'

/** How this Docker hands out GPUs; null with why not. */
export interface DockerInfo {
  rootFolder: string
  rootless: boolean
  runtimes: string[]
  version: string
}

const ANSWER_MS = 20_000
/** Ending a container takes as long as its processes do. */
const END_MS = 10_000
const MOST_BYTES = 8 * 1024 * 1024

export class Docker {
  constructor(
    private readonly env: Env,
    /** `/var/run/docker.sock`, or where `DOCKER_HOST` says. */
    readonly socket: string,
  ) {}

  /** @throws HostError when Docker is not there, or may not be asked */
  async info(): Promise<DockerInfo> {
    const { status, body } = await this.call('GET', '/info')
    if (status !== 200) throw new HostError(`Docker answers ${status}: ${said(body)}`)
    const { DockerRootDir, SecurityOptions, Runtimes, ServerVersion } = body as {
      DockerRootDir?: string
      SecurityOptions?: string[]
      Runtimes?: Record<string, unknown>
      ServerVersion?: string
    }
    return {
      rootFolder: DockerRootDir ?? '/var/lib/docker',
      rootless: (SecurityOptions ?? []).some((option) => option.includes('name=rootless')),
      runtimes: Object.keys(Runtimes ?? {}),
      version: ServerVersion ?? 'unknown',
    }
  }

  async hasImage(image: string): Promise<boolean> {
    return (await this.call('GET', `/images/${encodeURIComponent(image)}/json`)).status === 200
  }

  /** `tell` is called with the bytes downloaded so far. @throws HostError */
  async pull(image: string, tell: (bytes: number) => void, signal: AbortSignal): Promise<void> {
    const [name = '', digest = ''] = image.split('@')
    const query = new URLSearchParams({ fromImage: name, tag: digest })
    const response = await this.ask('POST', `/images/create?${query}`, { signal })
    if (!response.ok) throw new HostError(`Docker cannot download the engine: ${said(await parsed(response))}`)
    const layers = new Map<string, number>()
    for await (const line of jsonLines(response)) {
      const { error, id, status, progressDetail } = line as PullLine
      if (error) throw new HostError(`Docker cannot download the engine: ${printable(error).slice(0, 300)}`)
      if (id === undefined || progressDetail?.current === undefined) continue
      if (status === 'Downloading') layers.set(id, progressDetail.current)
      tell([...layers.values()].reduce((sum, bytes) => sum + bytes, 0))
    }
  }

  /** @returns its id. @throws HostError */
  async create(name: string, container: object): Promise<string> {
    const { status, body } = await this.call('POST', `/containers/create?${new URLSearchParams({ name })}`, container)
    const { Id } = body as { Id?: unknown }
    if (status === 201 && typeof Id === 'string') return Id
    throw new HostError(`Docker does not make the engine’s container: ${said(body)}`)
  }

  /** @throws HostError with Docker's words */
  async start(id: string): Promise<void> {
    const { status, body } = await this.call('POST', `/containers/${id}/start`)
    if (status !== 204 && status !== 304) throw new HostError(`Docker does not start the engine: ${said(body)}`)
  }

  /** What it writes, until it ends. */
  async *logs(id: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const response = await this.ask('GET', `/containers/${id}/logs?follow=1&stdout=1&stderr=1`, { signal })
    if (!response.ok || !response.body) return
    yield* unframed(response.body)
  }

  /** Resolves when it has ended, however. */
  async wait(id: string, signal: AbortSignal): Promise<{ code: number | null; outOfMemory: boolean }> {
    await this.ask('POST', `/containers/${id}/wait`, { signal })
      .then((response) => response.text())
      .catch(() => '')
    const { body } = await this.call('GET', `/containers/${id}/json`)
    const state = (body as { State?: { ExitCode?: number; OOMKilled?: boolean } } | undefined)?.State
    // Beyond 128 it is the number of a signal.
    const code = state?.ExitCode ?? 137
    return { code: code > 128 ? null : code, outOfMemory: state?.OOMKilled === true }
  }

  signal(id: string, name: 'SIGTERM' | 'SIGKILL'): Promise<unknown> {
    return this.call('POST', `/containers/${id}/kill?signal=${name}`)
  }

  /** Its processes, as the machine numbers them. */
  async processes(id: string): Promise<number[]> {
    const { body } = await this.call('GET', `/containers/${id}/top`)
    const { Titles = [], Processes = [] } = (body ?? {}) as { Titles?: string[]; Processes?: string[][] }
    const at = Titles.indexOf('PID')
    return Processes.map((row) => Number(row[at])).filter(Number.isInteger)
  }

  /** By force; resolves when it is gone. @throws HostError when it stays */
  async remove(id: string): Promise<void> {
    const { status, body } = await this.call('DELETE', `/containers/${id}?force=true&v=true`, undefined, END_MS)
    // 409: it is being removed already.
    if (![204, 404, 409].includes(status)) throw new HostError(`Docker does not remove a container: ${said(body)}`)
  }

  /** Ids of all containers with these labels, also those that have ended. */
  async labelled(labels: Readonly<Record<string, string>>): Promise<string[]> {
    const filters = JSON.stringify({ label: Object.entries(labels).map(([name, value]) => `${name}=${value}`) })
    const { status, body } = await this.call('GET', `/containers/json?${new URLSearchParams({ all: '1', filters })}`)
    if (status !== 200 || !Array.isArray(body)) return []
    return body.flatMap(({ Id }: { Id?: unknown }) => (typeof Id === 'string' ? [Id] : []))
  }

  private async call(method: string, path: string, body?: object, withinMs = ANSWER_MS) {
    const late = new AbortController()
    const cancel = this.env.timer(withinMs, () => late.abort(new Error('it does not answer')))
    try {
      const response = await this.ask(method, path, { body, signal: late.signal })
      return { status: response.status, body: await parsed(response) }
    } catch (error) {
      throw new HostError(`Docker cannot be asked at ${this.socket}: ${printable(reason(error))}.`)
    } finally {
      cancel()
    }
  }

  private ask(method: string, path: string, { body, signal }: { body?: object; signal: AbortSignal }) {
    return fetch(`http://docker${path}`, {
      method,
      unix: this.socket,
      timeout: false,
      signal,
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    })
  }
}

interface PullLine {
  error?: string
  id?: string
  status?: string
  progressDetail?: { current?: number }
}

async function* jsonLines({ body }: Response): AsyncGenerator<unknown> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const piece of body ?? []) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line.trim() !== '') yield JSON.parse(line)
  }
}

/** Takes out the 8 bytes before each piece: which stream it is of, and how long it is. */
export async function* unframed(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest = Buffer.alloc(0)
  for await (const piece of bytes) {
    rest = Buffer.concat([rest, piece])
    while (rest.length >= 8) {
      const end = 8 + rest.readUInt32BE(4)
      if (rest.length < end) break
      yield rest.subarray(8, end)
      rest = rest.subarray(end)
    }
    if (rest.length > MOST_BYTES) return
  }
}

async function parsed(response: Response): Promise<unknown> {
  const text = await response.text()
  try {
    return text === '' ? undefined : JSON.parse(text)
  } catch {
    return undefined
  }
}

function said(body: unknown): string {
  const message = (body as { message?: unknown } | undefined)?.message
  return typeof message === 'string' ? printable(message).slice(0, 300) : 'it does not say why.'
}
