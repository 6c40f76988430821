// What must hold after every single step. Cheap, or looked at only when something was written.
import type { Hub } from '../hub/hub.ts'
import { checkLedger } from '../hub/ledger/check.ts'
import { settled } from './kernel.ts'
import type { World } from './world.ts'

/** The whole check of the books is made at one write in so many. */
const FULL_CHECK_EVERY = 40

export class Watch {
  private passes = 0
  private written = 0n
  private writes = 0

  constructor(private readonly world: World) {}

  look(): void {
    const { world } = this
    const { thrown } = world.kernel
    if (thrown) world.broken('no program throws where nobody catches', thrown.stack ?? thrown.message)
    for (const { hub, process } of world.houses) if (hub && !process.dead) this.holds(hub, process.name)
    if (world.disk.passes === this.passes) return
    this.passes = world.disk.passes
    this.books()
  }

  /** Every hold belongs to a request that runs. */
  private holds({ platform }: Hub, name: string): void {
    if (platform.running.queued > 0) this.world.saw('a request waited for a place')
    const open = platform.ledger.openHolds()
    if (open > platform.running.size)
      this.world.broken('every hold belongs to a request', `${name}: ${open} holds, ${platform.running.size} requests`)
  }

  /** What a hub may spend without asking is set aside for it in the books, unless it was buried alive. */
  private grants({ platform: { ledger } }: Hub, name: string): void {
    const { writer, holds } = ledger as unknown as Inside
    const { client } = this.world.disk
    if (writer.length > 0 || !client.query('select 1 from hubs where id = ?').get(ledger.hubId)) return
    for (const [account, { grant }] of holds.purses) {
      const found = client
        .query('select amount from grants where hub_id = ? and account = ?')
        .get(grant.holder, account) as { amount: bigint } | null
      if ((found?.amount ?? 0n) < grant.idle + grant.committed)
        this.world.broken('a hub spends what was set aside for it', `${name}: ${account}`)
    }
  }

  private books(): void {
    const { client } = this.world.disk
    if (client.inTransaction) return this.world.broken('no transaction stays open', 'one does')
    const { n } = client.query('select total_changes() as n').get() as { n: bigint }
    if (n === this.written) return
    this.written = n
    const { sum } = client.query('select coalesce(sum(amount), 0) as sum from entries').get() as { sum: bigint }
    if (sum !== 0n) this.world.broken('the books sum to zero', `they sum to ${sum}`)
    for (const { hub, process } of this.world.houses) if (hub && !process.dead) this.grants(hub, process.name)
    if (++this.writes % FULL_CHECK_EVERY === 0) fullCheck(this.world)
  }
}

/** What the ledger keeps to itself. */
interface Inside {
  writer: { length: number }
  holds: { purses: Map<string, { grant: { idle: bigint; committed: bigint; holder: string } }> }
}

/** Every rule of the ledger's own check, as of now. */
export function fullCheck(world: World): void {
  const report = settled(checkLedger(world.ground.db))
  // Between a hub's death and its heir's first sweep what it held is an orphan, as it should be.
  const problems = report.problems.filter(({ what }) => what !== 'a grant is held by a hub that is gone')
  if (problems.length > 0) world.broken('the books are right', JSON.stringify(problems))
}
