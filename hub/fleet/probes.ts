// Measures a linked host's line by a few bytes each way, at rare intervals, timed by the hub: what a host says of its own
// line is its own word. A download ends when the host says so, which it can only truthfully say later than it did; an
// upload begins when it has been told how much to send. Small first: most lines prove with that that they are fast
// enough, and only those that do not are asked for more.
import { and, eq, sql } from 'drizzle-orm'
import type { Db } from '../../db/open.ts'
import type { Env } from '../../sdk/env.ts'
import { mostTransferBytes, type Probed } from '../../sdk/network.ts'
import { HubError } from '../errors.ts'
import type { Settings } from '../policy/settings.ts'
import { mbits } from './network-round.ts'

const SMALL_DOWN_BYTES = 512 * 1024
const SMALL_UP_BYTES = 256 * 1024
/** A transfer that long is not ruled by how a connection begins. */
const LONG_MS = 3_000
const AGAIN_SECONDS = 6 * 60 * 60
/** Of a line that is below the minimum, so that it is known when it is well again. */
const AGAIN_BELOW_SECONDS = 5 * 60
const NOW_SECONDS = 1
const LONGEST_MS = 60_000
const MOST = 1_000

interface Clock {
  mono(): number
  late(): boolean
}

interface Probe {
  down: number
  up: number
  /** Awake time. */
  beganAt: number
  receivedAt: number | null
  downKbits: number
  /** The hub was held up by its own work meanwhile. */
  disturbed: boolean
}

export class ProbeBook {
  /** By host; the oldest first. */
  private readonly running = new Map<string, Probe>()
  /** Hosts whose small transfers did not prove enough: how many bytes they move next. */
  private readonly larger = new Map<string, { down: number; up: number }>()

  constructor(
    private readonly env: Pick<Env, 'now'>,
    private readonly db: Db,
    private readonly clock: Clock,
    private readonly settings: () => Settings,
  ) {}

  /** @returns how many bytes the host is to be sent @throws HubError for a host of somebody else */
  async begin(hostId: string, ownerId: string): Promise<{ bytes: number }> {
    await this.owned(hostId, ownerId)
    const { down, up } = this.larger.get(hostId) ?? { down: SMALL_DOWN_BYTES, up: SMALL_UP_BYTES }
    bounded(this.running)
    const disturbed = this.clock.late()
    const beganAt = this.clock.mono()
    this.running.set(hostId, { down, up, beganAt, receivedAt: null, downKbits: 0, disturbed })
    return { bytes: down }
  }

  /** The host has `length` bytes. @returns how many it is to send */
  async received(hostId: string, ownerId: string, length: number): Promise<{ bytes: number }> {
    const now = this.clock.mono()
    const probe = this.probe(hostId)
    if (probe.receivedAt !== null || length !== probe.down) throw outOfOrder()
    const trip = await this.owned(hostId, ownerId)
    probe.downKbits = kbits(length, now - probe.beganAt, trip)
    probe.disturbed ||= this.clock.late()
    probe.receivedAt = this.clock.mono()
    return { bytes: probe.up }
  }

  /** The hub has `length` bytes of the host. */
  async end(hostId: string, ownerId: string, length: number): Promise<Probed> {
    const now = this.clock.mono()
    const probe = this.probe(hostId)
    if (probe.receivedAt === null || length !== probe.up) throw outOfOrder()
    const trip = await this.owned(hostId, ownerId)
    this.running.delete(hostId)
    const upKbits = kbits(length, now - probe.receivedAt, trip)
    const { downKbits } = probe
    const { hostDownMbits, hostUpMbits } = this.settings()
    const enough = downKbits >= hostDownMbits * 1_000 && upKbits >= hostUpMbits * 1_000
    const measured = { downMbits: mbits(downKbits) ?? 0, upMbits: mbits(upKbits) ?? 0 }
    if (probe.disturbed || this.clock.late()) return { ...measured, againSeconds: AGAIN_BELOW_SECONDS }
    const next = { down: bytesFor(downKbits), up: bytesFor(upKbits) }
    if (!enough && !this.larger.has(hostId) && (next.down > probe.down || next.up > probe.up)) {
      bounded(this.larger)
      this.larger.set(hostId, { down: Math.max(next.down, probe.down), up: Math.max(next.up, probe.up) })
      return { ...measured, againSeconds: NOW_SECONDS }
    }
    this.larger.delete(hostId)
    await this.write(hostId, { downKbits, upKbits })
    return { ...measured, againSeconds: enough ? AGAIN_SECONDS : AGAIN_BELOW_SECONDS }
  }

  private probe(hostId: string): Probe {
    const probe = this.running.get(hostId)
    if (!probe || this.clock.mono() - probe.beganAt > LONGEST_MS) throw outOfOrder()
    return probe
  }

  /** @returns the round trip, as far as it is known, ms @throws HubError */
  private async owned(hostId: string, ownerId: string): Promise<number> {
    const { hosts, networks } = this.db.tables
    const [row] = await this.db.query
      .select({ roundTripMs: networks.roundTripMs })
      .from(hosts)
      .leftJoin(networks, eq(networks.hostId, hosts.id))
      .where(and(eq(hosts.id, hostId), eq(hosts.ownerId, ownerId)))
    if (!row) throw new HubError('not_found', 'There is no such host of yours.')
    return row.roundTripMs ?? 0
  }

  private async write(hostId: string, line: { downKbits: number; upKbits: number }): Promise<void> {
    const { networks } = this.db.tables
    const now = this.env.now()
    const measured = { ...line, probedAt: now }
    const fresh = { hostId, state: 'ok' as const, since: now, clearSince: null, roundTripMs: null, linkLosses: 0 }
    await this.db.query
      .insert(networks)
      .values({ ...fresh, faults: [], ...measured })
      .onConflictDoUpdate({
        target: networks.hostId,
        set: {
          downKbits: sql`excluded.down_kbits`,
          upKbits: sql`excluded.up_kbits`,
          probedAt: sql`excluded.probed_at`,
        },
      })
  }
}

/** Bits a millisecond; of the time, one round trip was spent on asking, but never most of it. */
function kbits(bytes: number, ms: number, tripMs: number): number {
  return Math.round((bytes * 8) / Math.max(1, ms - Math.min(tripMs, ms / 2)))
}

/** As much as takes long enough to be believed. */
function bytesFor(kbits: number): number {
  return Math.min(mostTransferBytes, Math.floor((kbits * LONG_MS) / 8))
}

function bounded(map: Map<string, unknown>): void {
  if (map.size >= MOST) for (const oldest of map.keys()) return void map.delete(oldest)
}

function outOfOrder(): HubError {
  return new HubError(
    'invalid_request',
    'This measurement was not begun, is too old, or is short of bytes. Begin anew.',
  )
}
