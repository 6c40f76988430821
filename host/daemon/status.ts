// What the agent says about itself over its control socket; `gpuhost status --json` prints it as it is.
import type { Gpu, Serving } from '../../sdk/wire/frames.ts'
import type { OwnerFacts } from '../owner/owner.ts'
import type { LinkState } from '../tunnel/connect.ts'

/** `paused`: linked, but taking nothing new for now; `draining`: finishing what runs, then gone. */
export type DaemonState = 'starting' | 'linking' | 'serving' | 'paused' | 'draining'

export interface Status {
  state: DaemonState
  /** Why no new requests are taken; null while they are. */
  why: string | null
  /** When the owner wants the card. */
  owner: OwnerFacts
  /** While it starts: what its engine is doing; null: nothing that takes long, or it says nothing. */
  starting: string | null
  pid: number
  /** Keeps it running; null: nothing does. */
  launcher: number | null
  version: string
  name: string
  machine: string
  uptimeSeconds: number
  hubs: ({ address: string } & LinkState)[]
  serving: Serving[]
  /** Requests on this machine now, for all hubs. */
  requests: number
  gpus: Gpu[]
  simulated: boolean
}
