// How a machine becomes a host: its token names the owner, and owner and machine together name the host.
import { and, count, inArray, sql } from 'drizzle-orm'
import type { Db, Queries } from '../../db/open.ts'
import { transaction } from '../../db/transaction.ts'
import { type Env, newId } from '../../sdk/env.ts'
import type { Hardware } from '../../sdk/wire/frames.ts'
import { checkLinkProof } from '../../sdk/wire/machine-key.ts'
import { HubError } from '../errors.ts'
import { hashSecret } from '../identity/secret.ts'
import { requireTerms } from '../identity/terms.ts'
import { updateFailed } from '../mail/letters.ts'
import type { News, Newsroom } from '../mail/news.ts'
import type { Policy } from '../policy/policy.ts'
import { cardsOf } from './cards.ts'
import { Gather } from './gather.ts'
import { type Judgement, judgementOf } from './judge.ts'
import { clearNotices, lockedAmong } from './locks.ts'
import { type Bearer, bearersOf, type KnownToken, looksLikeHostToken } from './token.ts'

export const MOST_HOSTS_PER_OWNER = 500
const MOST_AT_ONCE = 200

/** A machine that says hello, as it is stored. */
export interface Machine extends Bearer {
  machine: string
  name: string
  agent: string
  hardware: Hardware
  /** A newer program did not work on it, and it went back by itself. */
  failedUpdate?: string | null
}

/** The host's id, the same at every return of the machine; or why it cannot be one. */
export type Enrolled = ({ id: string } & Judgement) | 'too_many' | 'locked'

export class Enrolment {
  private readonly bearers: Gather<string, KnownToken | 'suspended' | 'unknown'>
  private readonly machines: Gather<Machine, Enrolled>

  constructor(
    private readonly env: Env,
    db: Db,
    /** Without it no terms are asked for, and nobody is told of anything. */
    private readonly door: { policy: Pick<Policy, 'current'>; news: Pick<Newsroom, 'tell'> } | null = null,
  ) {
    this.bearers = new Gather(env, MOST_AT_ONCE, (hashes) => bearersOf(db, hashes))
    this.machines = new Gather(env, MOST_AT_ONCE, (machines) => enrol(env, db, machines, door?.news))
  }

  /** Who this token speaks for. `proof`: that it is shown by the machine it was made for. @throws HubError */
  async bearer(token: string, proof: string | null = null): Promise<Bearer> {
    const bearer = looksLikeHostToken(token) ? await this.bearers.ask(hashSecret(token)) : 'unknown'
    if (bearer === 'suspended')
      throw new HubError(
        'account_suspended',
        "This host's owner is suspended. They read why where they sign in; write to the hub's team.",
      )
    if (bearer === 'unknown')
      throw new HubError(
        'invalid_api_key',
        'This host token is not valid. Run `gpuhost login`, or ask for a new token.',
      )
    const { tokenId, ownerId, machineKey, terms } = bearer
    if (machineKey !== null) this.checkProof(machineKey, token, proof)
    if (this.door) requireTerms(this.door.policy.current(), terms, 'host', this.env.now())
    return { tokenId, ownerId }
  }

  private checkProof(machineKey: string, token: string, header: string | null): void {
    const proof = checkLinkProof(machineKey, token, { header, now: this.env.now() })
    if (proof === 'wrong')
      throw new HubError(
        'invalid_api_key',
        'This token works on the machine it was made for only. Run `gpuhost login`.',
      )
    if (proof === 'clock')
      throw new HubError('clock_wrong', 'This machine’s clock is more than ten minutes off. Set it, and it will link.')
  }

  host(machine: Machine): Promise<Enrolled> {
    return this.machines.ask(machine)
  }
}

/** All in five statements, whatever their number. */
async function enrol(env: Env, db: Db, machines: Machine[], news?: Pick<Newsroom, 'tell'>): Promise<Enrolled[]> {
  // Sorted: two hubs that enrol the same machines lock them in the same order.
  const latest = [...new Map(machines.map((machine) => [nameOf(machine), machine])).entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, machine]) => machine)
  const owners = [...new Set(latest.map(({ ownerId }) => ownerId))]
  const { hosts } = db.tables
  const found = await transaction(db, async (tx) => {
    const known = await tx
      .select({ ownerId: hosts.ownerId, machine: hosts.machine })
      .from(hosts)
      .where(
        and(
          inArray(hosts.ownerId, owners),
          inArray(
            hosts.machine,
            latest.map(({ machine }) => machine),
          ),
        ),
      )
    const counts = await tx
      .select({ ownerId: hosts.ownerId, hosts: count() })
      .from(hosts)
      .where(inArray(hosts.ownerId, owners))
      .groupBy(hosts.ownerId)
    const allowed = withinLimit(
      latest,
      new Set(known.map(nameOf)),
      new Map(counts.map((row) => [row.ownerId, Number(row.hosts)])),
    )
    if (allowed.length === 0) return new Map<string, Enrolled>()
    const now = env.now()
    const rows = await tx
      .insert(hosts)
      .values(allowed.map((machine) => rowOf(machine, newId(env, 'host'), now)))
      .onConflictDoUpdate({ target: [hosts.ownerId, hosts.machine], set: fromInsert })
      .returning({
        ...{ id: hosts.id, ownerId: hosts.ownerId, machine: hosts.machine },
        ...{ vettedAt: hosts.vettedAt, quarantinedAt: hosts.quarantinedAt, belowNetworkAt: hosts.belowNetworkAt },
      })
    const written = new Map(rows.map((row) => [nameOf(row), row]))
    const here = machines.flatMap((machine) => {
      const row = written.get(nameOf(machine))
      const judged = row && { hostId: row.id, judgement: judgementOf(row) }
      return judged ? [{ ...judged, tokenId: machine.tokenId, machine, key: keyOf(machine) }] : []
    })
    const locked = await lockedAmong(db, tx, here)
    const shut = new Set(locked.map(({ hostId, tokenId }) => `${hostId} ${tokenId}`))
    const open = here.filter(({ hostId, tokenId }) => !shut.has(`${hostId} ${tokenId}`))
    if (open.length > 0) await clearNotices(db, tx, open, now)
    const enrolled = new Map<string, Enrolled>(here.map(({ key }) => [key, 'locked']))
    for (const { key, hostId, judgement, machine } of open) {
      enrolled.set(key, { id: hostId, ...judgement })
      if (news && machine.failedUpdate) await tellOfUpdate(news, tx, hostId, machine)
    }
    return enrolled
  })
  return machines.map((machine) => found.get(keyOf(machine)) ?? 'too_many')
}

/** Of one version once: it comes to every hub, at every link. */
async function tellOfUpdate(
  news: Pick<Newsroom, 'tell'>,
  tx: Queries,
  id: string,
  { ownerId, name, agent, failedUpdate: version }: Machine,
): Promise<void> {
  if (!version) return
  const letter: News['letter'] = (links) => updateFailed({ id, name, agent, version, ...links })
  await news.tell(tx, ownerId, { kind: 'update-failed', about: `${id} ${version}`, letter, once: true })
}

/** Hosts that are known, and new ones as long as their owner may have more. */
function withinLimit(machines: Machine[], known: Set<string>, counts: Map<string, number>): Machine[] {
  return machines.filter((machine) => {
    if (known.has(nameOf(machine))) return true
    const hosts = counts.get(machine.ownerId) ?? 0
    counts.set(machine.ownerId, hosts + 1)
    return hosts < MOST_HOSTS_PER_OWNER
  })
}

function rowOf({ ownerId, tokenId, machine, name, agent, hardware }: Machine, id: string, now: number) {
  const { simulated } = hardware
  const cards = cardsOf(hardware)
  return { id, ownerId, tokenId, machine, name, agent, hardware, cards, simulated, createdAt: now, seenAt: now }
}

/** What may have changed since the machine was last here. */
const fromInsert = {
  tokenId: sql`excluded.token_id`,
  name: sql`excluded.name`,
  agent: sql`excluded.agent`,
  hardware: sql`excluded.hardware`,
  cards: sql`excluded.cards`,
  simulated: sql`excluded.simulated`,
  seenAt: sql`excluded.seen_at`,
  // It was installed again.
  leftAt: sql`null`,
}

/** One machine may come with two tokens in one batch. */
function keyOf(machine: { ownerId: string; machine: string; tokenId: string }): string {
  return `${nameOf(machine)} ${machine.tokenId}`
}

function nameOf({ ownerId, machine }: { ownerId: string; machine: string }): string {
  return `${ownerId} ${machine}`
}
