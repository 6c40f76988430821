// A load balancer as it stands before several hubs: asks each whether it is ready, sends every request to the next that
// is, and to another when a connection cannot be made. It looks no deeper.
export interface Balancer {
  /** For the openai package. */
  fetch: typeof fetch
  close(): void
}

const LOOK_MS = 200

export function startBalancer(front: string, hubs: readonly string[]): Balancer {
  let ready = [...hubs]
  let turn = 0
  let looking = false
  const look = async () => {
    if (looking) return
    looking = true
    const answers = await Promise.all(hubs.map((hub) => isReady(hub)))
    ready = hubs.filter((_, at) => answers[at])
    looking = false
  }
  const timer = setInterval(() => void look(), LOOK_MS)
  const balanced = async (address: string | URL | Request, init?: RequestInit) => {
    if (address instanceof Request) throw new Error('the openai package asks by address')
    const targets = ready.length > 0 ? ready : hubs
    for (let tried = 1; ; tried++) {
      const hub = targets[turn++ % targets.length]!
      try {
        return await fetch(String(address).replace(front, hub), init)
      } catch (error) {
        if (tried >= targets.length || !neverSent(error)) throw error
      }
    }
  }
  // Bun's `fetch` has a `preconnect` that nobody calls here.
  return { fetch: balanced as typeof fetch, close: () => clearInterval(timer) }
}

async function isReady(hub: string): Promise<boolean> {
  const answer = await fetch(`${hub}/readyz`, { signal: AbortSignal.timeout(1_000) }).catch(() => null)
  await answer?.text()
  return answer?.ok ?? false
}

/** Only a request that no hub has seen may be sent again. */
function neverSent(error: unknown): boolean {
  return (error as { code?: string }).code === 'ConnectionRefused'
}
