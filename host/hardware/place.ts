// Where this program runs: it decides which engines are possible, and what an owner has to be told.
import { existsSync, readFileSync } from 'node:fs'

export type PlaceKind = 'machine' | 'container' | 'vast' | 'runpod' | 'salad' | 'kubernetes' | 'wsl2'

export interface Place {
  kind: PlaceKind
  /** No other containers can be started in it. */
  container: boolean
  /** Services are kept by systemd. */
  systemd: boolean
}

/** Reads a file, or undefined. */
export type Files = (path: string) => string | undefined
type Variables = Readonly<Record<string, string | undefined>>

/**
 * `variables` are this process's own. A shell over ssh does not have those its container was started with, so the first
 * process is asked, too.
 */
export function findPlace(variables: Variables, files: Files = readable): Place {
  const all = { ...initial(files), ...variables }
  const systemd = files('/proc/1/comm')?.trim() === 'systemd'
  const inside = files('/.dockerenv') !== undefined || files('/run/.containerenv') !== undefined || overlaid(files)
  const within = (kind: PlaceKind, container: boolean) => ({ kind, container, systemd })
  const vast = all.VAST_CONTAINERLABEL !== undefined || (all.CONTAINER_ID && all.CONTAINER_API_KEY)
  // Both rent out whole virtual machines, too, where containers can be started.
  if (vast) return within('vast', !systemd)
  if (all.RUNPOD_POD_ID !== undefined) return within('runpod', !systemd)
  if (all.SALAD_MACHINE_ID !== undefined || all.SALAD_CONTAINER_GROUP_ID !== undefined) return within('salad', true)
  if (all.KUBERNETES_SERVICE_HOST !== undefined) return within('kubernetes', true)
  if (/microsoft/i.test(files('/proc/version') ?? '')) return within('wsl2', inside)
  return within(inside ? 'container' : 'machine', inside)
}

function initial(files: Files): Variables {
  const pairs = (files('/proc/1/environ') ?? '').split('\0')
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]))
}

/** The root of a container is layers, one over another. */
function overlaid(files: Files): boolean {
  return (files('/proc/self/mountinfo') ?? '').split('\n').some((line) => / \/ \/ .* - overlay /.test(line))
}

function readable(path: string): string | undefined {
  try {
    return existsSync(path) ? readFileSync(path, 'utf8') : undefined
  } catch {
    // Another user's process: what it was started with is not for us.
    return undefined
  }
}
