// Bugs that somebody could write, each planted in a copy of the program that exists for the length of one run. A
// simulator that does not find them proves nothing by finding none.

import { type Fault, type Plan, planFor } from './plan.ts'

interface Edit {
  file: string
  was: string
  becomes: string
}

export interface Bug {
  name: string
  /** The rule that shows it. */
  breaks: string
  edits: Edit[]
  /** A seed that finds it. Should another version of the program no longer show it there, others are tried. */
  seed: number
  /** The trouble in which it shows, where that is too seldom among all others; else it is as each seed has it. */
  faults?: Fault[]
}

/** What a seed decides on where this bug is looked for. */
export function planIn({ faults }: Pick<Bug, 'faults'>, seed: number): Plan {
  return faults ? { ...planFor(seed), faults } : planFor(seed)
}

const ATTEMPT = 'hub/gateway/attempt.ts'
const STREAM = 'hub/tunnel/attempt.ts'
const LINKS = 'hub/tunnel/links.ts'
const LEASE = 'hub/ledger/lease.ts'
const LEDGER = 'hub/ledger/ledger.ts'
const RUN = 'hub/gateway/run.ts'
const DECIDE = 'hub/ledger/decide.ts'

export const BUGS: Bug[] = [
  {
    name: 'double settle: what is tried again is another charge',
    breaks: 'an answer is settled before its end is sent',
    edits: [
      {
        file: 'hub/ledger/writer.ts',
        was: `this.log.warn('ledger.retry', { items: items.length, error: String(error) })`,
        becomes: `for (const task of tasks) {
          const { item } = task
          if (item.kind !== 'settle') continue
          task.item = { ...item, id: item.id + '~', row: [item.id + '~', ...item.row.slice(1)] }
        }`,
      },
    ],
    seed: 13,
  },
  {
    name: 'no sequence check: a part that comes twice is passed on twice',
    breaks: 'what a client is told is what the model said, once',
    edits: [{ file: STREAM, was: 'if (sequence !== this.frames) return', becomes: 'if (sequence < 0) return' }],
    seed: 14,
  },
  {
    name: 'no fencing: an attempt that was given up is still heard',
    breaks: 'what a client is told is what the model said, once',
    edits: [
      { file: 'hub/tunnel/link.ts', was: 'this.streams.delete(stream)\n    this.uploads', becomes: 'this.uploads' },
      { file: ATTEMPT, was: 'if (this.over) return\n    if (this.statusCode', becomes: 'if (this.statusCode' },
      {
        file: ATTEMPT,
        was: 'if (this.over || !hasSubstance(piece)) return',
        becomes: 'if (!hasSubstance(piece)) return',
      },
    ],
    seed: 14,
  },
  {
    name: 'work to a drained host',
    breaks: 'a host that drains is given no work',
    edits: [{ file: LINKS, was: `state === 'ready' && `, becomes: '' }],
    seed: 13,
  },
  {
    name: 'free disconnect: who hangs up pays nothing',
    breaks: 'who leaves pays for what was written to them',
    edits: [{ file: RUN, was: 'if (this.given.ask.stream && this.seat &&', becomes: 'if (false && this.seat &&' }],
    seed: 17,
  },
  {
    name: 'hold not swept: what a dead hub had set aside stays so',
    breaks: 'all comes to rest',
    edits: [
      {
        file: LEASE,
        was: `...orphans.map(({ holder, account }): Item => ({ kind: 'forfeit', holder, account })),`,
        becomes: '',
      },
    ],
    seed: 3,
  },
  {
    name: 'no token watchdog: who hangs is waited for',
    breaks: 'a host that hangs is left for another',
    edits: [{ file: ATTEMPT, was: 'if (this.ear.couldMove()) return false', becomes: 'if (true) return true' }],
    seed: 1,
    faults: ['hangs', 'slow'],
  },
  {
    name: 'check-then-hold: holds are taken whether or not they are covered',
    breaks: 'a hub spends what was set aside for it',
    edits: [
      {
        file: 'hub/ledger/holds.ts',
        was: 'if (purse.waiting.length === 0 && purse.grant.idle >= amount) return',
        becomes: 'if (purse.grant.committed > 0n || purse.grant.idle >= amount) return',
      },
    ],
    seed: 9,
    faults: ['burst', 'low-balance', 'slow-disk'],
  },
  {
    name: 'sweep all: what living hubs have set aside is swept, too',
    breaks: 'a hub spends what was set aside for it',
    edits: [{ file: LEASE, was: '.where(notInArray(grants.hubId, living))', becomes: '' }],
    seed: 4,
  },
  {
    name: 'resume without prefix: the next host is not told what was said',
    breaks: 'a host that goes on is given all that was said',
    edits: [{ file: 'hub/gateway/course.ts', was: '[...prompt, ...said.ids]', becomes: '[...prompt]' }],
    seed: 13,
  },
  {
    name: 'settle after [DONE]: the end is sent before the charge is durable',
    breaks: 'an answer is settled before its end is sent',
    edits: [
      {
        file: LEDGER,
        was: `    try {
      this.writer.push(task)
    } catch (error) {
      spending.undo()`,
        becomes: `    resolve({ cost, fee, hostShare: share })
    try {
      this.writer.push(task)
    } catch (error) {
      spending.undo()`,
      },
    ],
    seed: 4,
  },
  {
    name: 'split brain: the older of two links goes on serving',
    breaks: 'only the newest link of a host is given work',
    edits: [
      { file: LINKS, was: 'this.fence(who, run)\n', becomes: '\n' },
      {
        file: LINKS,
        was: 'this.entries.set(who.hostId, entry)',
        becomes: 'if (!this.entries.has(who.hostId)) this.entries.set(who.hostId, entry)',
      },
    ],
    seed: 11,
  },
  {
    name: 'old session wins: its end takes the newer one with it',
    breaks: 'all comes to rest',
    edits: [
      { file: LINKS, was: 'this.fence(who, run)\n', becomes: 'const older = this.entries.get(who.hostId)?.link\n' },
      {
        file: LINKS,
        was: 'this.publish(entry)\n    return link',
        becomes: `this.publish(entry)
    older?.close(closeCode.superseded, { class: 'network', code: 'superseded', message: '' })
    return link`,
      },
      {
        file: LINKS,
        was: 'if (entry?.link !== link) return\n    this.entries.delete',
        becomes: 'if (!entry) return\n    this.entries.delete',
      },
    ],
    seed: 17,
  },
  {
    name: 'a refusal is not final: its place and its hold stay taken',
    breaks: 'all comes to rest',
    edits: [{ file: 'hub/gateway/streamed.ts', was: 'await run.giveUp(writer.failedEarly, [])', becomes: '' }],
    seed: 7,
  },
  {
    name: 'what fails after its first words is billed',
    breaks: 'what fails costs nothing',
    edits: [
      {
        file: RUN,
        was: 'if (!(error instanceof Cancelled)) return this.endFree',
        becomes: 'if (!(error instanceof Cancelled) && !this.choices.some(hasText)) return this.endFree',
      },
    ],
    seed: 2,
  },
  {
    name: 'the host counts: its claim is billed',
    breaks: 'a complete answer costs what it costs',
    edits: [{ file: 'hub/metering/count.ts', was: 'completion: Math.min(host, hub),', becomes: 'completion: host,' }],
    seed: 3,
  },
  {
    name: 'what was never written to a client is billed to it',
    breaks: 'who leaves pays for what was written to them',
    edits: [{ file: RUN, was: 'for (const piece of unwritten) this.answer?.forget(piece)', becomes: '' }],
    seed: 1,
    faults: ['hang-up', 'slow-reader', 'latency'],
  },
  {
    name: 'an answer that goes on elsewhere is billed from there only',
    breaks: 'a complete answer costs what it costs',
    edits: [{ file: 'hub/gateway/attempts.ts', was: 'baseTokens + claim.completion', becomes: 'claim.completion' }],
    seed: 7,
  },
  {
    name: 'a cancel stops at the hub',
    breaks: 'who hangs up stops the engine',
    edits: [
      {
        file: ATTEMPT,
        was: `this.finish({ kind: 'stopped' })\n    this.attempt.cancel()`,
        becomes: `this.finish({ kind: 'stopped' })`,
      },
    ],
    seed: 5,
    faults: ['hang-up', 'slow'],
  },
  {
    name: 'delivered too soon: a charge is not refunded though its end was never sent',
    breaks: 'nobody pays for an answer cut by the hub',
    edits: [{ file: LEDGER, was: `delivered: ended.state === 'cancelled'`, becomes: 'delivered: true' }],
    seed: 9,
    faults: ['crash-at-commit', 'slow-disk'],
  },
  {
    name: 'a key does not make it once',
    breaks: 'an errand costs once',
    edits: [
      { file: DECIDE, was: 'if (!known || known.requestId === once.requestId ||', becomes: 'if (true ||' },
      { file: DECIDE, was: 'if (books.once(once.id)?.requestId !== once.requestId)', becomes: 'if (false)' },
    ],
    seed: 5,
  },
  {
    name: 'epochs follow the wall clock',
    breaks: 'a newer link has a newer epoch',
    edits: [
      {
        file: LINKS,
        was: 'Math.max(this.options.env.now(), this.lastEpoch + 1)',
        becomes: 'this.options.env.now()',
      },
    ],
    seed: 16,
  },
  {
    name: 'a hub that stood still takes everybody for dead',
    breaks: 'a host that speaks is not taken for dead',
    edits: [
      {
        file: 'hub/tunnel/awake.ts',
        was: 'if (this.expectedAt !== null && now - this.expectedAt > PAUSE_MS)',
        becomes: 'if (false)',
      },
    ],
    seed: 588,
  },
  {
    name: 'a revoked key goes on opening',
    breaks: 'a revoked key opens nothing',
    edits: [{ file: 'hub/identity/keyring.ts', was: 'const BELIEVED_MS = 950', becomes: 'const BELIEVED_MS = 60_000' }],
    seed: 16,
  },
  {
    name: 'a place is never given back',
    breaks: 'all comes to rest',
    edits: [{ file: RUN, was: 'this.given.leave()', becomes: '' }],
    seed: 7,
  },
  {
    name: 'an answer has no limit',
    breaks: 'no answer is longer than was asked for',
    edits: [
      {
        file: 'hub/gateway/answer.ts',
        was: 'const within = choice.limit.within(before, piece)',
        becomes: 'const within = piece',
      },
    ],
    seed: 19,
  },
]
