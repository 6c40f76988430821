// The requests this hub is working on. Its limits are what stands between a flood and everybody else's answers.
import { HubError } from '../errors.ts'

export interface RunningRequest {
  id: string
  at: number
  userId: string
  keyId: string
  variant: string
}

export class Running {
  private readonly requests = new Map<string, RunningRequest>()
  private readonly perKey = new Map<string, number>()
  private open = true
  private left: (() => void)[] = []

  constructor(private readonly limits: { total: number; perKey: number }) {}

  /** Takes a place. The returned function gives it back; calling it again does nothing. @throws HubError 503 or 429 */
  enter(request: RunningRequest): () => void {
    if (!this.open)
      throw new HubError(
        'hub_unavailable',
        'This hub is shutting down. Try again: another one, or its successor, answers.',
      )
    if (this.requests.size >= this.limits.total) {
      throw new HubError(
        'no_capacity',
        'The hub is working on as many requests as it can. Nothing was billed. Try again in a few seconds.',
      )
    }
    const ofKey = this.perKey.get(request.keyId) ?? 0
    if (ofKey >= this.limits.perKey) {
      throw new HubError(
        'rate_limit_exceeded',
        `This key has ${ofKey} requests running, as many as it may. Wait for one to end.`,
      )
    }
    this.requests.set(request.id, request)
    this.perKey.set(request.keyId, ofKey + 1)
    return () => this.leave(request)
  }

  /** From now on nobody enters. */
  close(): void {
    this.open = false
  }

  get size(): number {
    return this.requests.size
  }

  /** Resolves when nothing runs. */
  async empty(): Promise<void> {
    if (this.size > 0) await new Promise<void>((resolve) => this.left.push(resolve))
  }

  of(userId: string): RunningRequest[] {
    return [...this.requests.values()].filter((request) => request.userId === userId)
  }

  private leave(request: RunningRequest): void {
    if (!this.requests.delete(request.id)) return
    const ofKey = (this.perKey.get(request.keyId) ?? 1) - 1
    if (ofKey > 0) this.perKey.set(request.keyId, ofKey)
    else this.perKey.delete(request.keyId)
    if (this.size === 0) for (const resolve of this.left.splice(0)) resolve()
  }
}
