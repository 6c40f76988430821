// Bugs that somebody could write, each planted in a copy of the program that exists for the length of one run. A
// simulator that does not find them proves nothing by finding none.

interface Edit {
  file: string
  was: string
  becomes: string
}

export interface Bug {
  name: string
  edits: Edit[]
  /** A seed that finds it. Should another version of the program no longer show it there, others are tried. */
  seed: number
}

const ATTEMPT = 'hub/gateway/attempt.ts'
const STREAM = 'hub/tunnel/attempt.ts'
const LINKS = 'hub/tunnel/links.ts'
const LEASE = 'hub/ledger/lease.ts'
const LEDGER = 'hub/ledger/ledger.ts'
const RUN = 'hub/gateway/run.ts'

export const BUGS: Bug[] = [
  {
    name: 'double settle: what is tried again is another charge',
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
    seed: 1,
  },
  {
    name: 'no sequence check: a part that comes twice is passed on twice',
    edits: [{ file: STREAM, was: 'if (sequence !== this.frames) return', becomes: 'if (sequence < 0) return' }],
    seed: 1,
  },
  {
    name: 'no fencing: an attempt that was given up is still heard',
    edits: [
      { file: 'hub/tunnel/link.ts', was: 'this.streams.delete(stream)\n    this.uploads', becomes: 'this.uploads' },
      { file: ATTEMPT, was: 'if (this.over) return\n    if (this.statusCode', becomes: 'if (this.statusCode' },
      {
        file: ATTEMPT,
        was: 'if (this.over || !hasSubstance(piece)) return',
        becomes: 'if (!hasSubstance(piece)) return',
      },
    ],
    seed: 1,
  },
  {
    name: 'work to a drained host',
    edits: [{ file: LINKS, was: `(state === 'ready' ? serving : [])`, becomes: '(serving)' }],
    seed: 1,
  },
  {
    name: 'free disconnect: who hangs up pays nothing',
    edits: [{ file: RUN, was: 'if (this.given.ask.stream && this.seat &&', becomes: 'if (false && this.seat &&' }],
    seed: 1,
  },
  {
    name: 'hold not swept: what a dead hub had set aside stays so',
    edits: [
      {
        file: LEASE,
        was: `...orphans.map(({ holder, account }): Item => ({ kind: 'forfeit', holder, account })),`,
        becomes: '',
      },
    ],
    seed: 1,
  },
  {
    name: 'no token watchdog: who hangs is waited for',
    edits: [{ file: ATTEMPT, was: 'if (this.ear.couldMove()) return false', becomes: 'if (true) return true' }],
    seed: 1,
  },
  {
    name: 'check-then-hold: holds are taken whether or not they are covered',
    edits: [
      {
        file: 'hub/ledger/holds.ts',
        was: 'if (purse.waiting.length === 0 && purse.grant.idle >= amount) return',
        becomes: 'if (purse.grant.committed > 0n || purse.grant.idle >= amount) return',
      },
    ],
    seed: 1,
  },
  {
    name: 'sweep all: what living hubs have set aside is swept, too',
    edits: [{ file: LEASE, was: '.where(notInArray(grants.hubId, living))', becomes: '' }],
    seed: 1,
  },
  {
    name: 'resume without prefix: the next host is not told what was said',
    edits: [{ file: 'hub/gateway/course.ts', was: '[...prompt.ids, ...said.ids]', becomes: '[...prompt.ids]' }],
    seed: 1,
  },
  {
    name: 'settle after [DONE]: the end is sent before the charge is durable',
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
    seed: 1,
  },
  {
    name: 'split brain: the older of two links goes on serving',
    edits: [
      { file: LINKS, was: 'this.fence(who, run)\n', becomes: '\n' },
      {
        file: LINKS,
        was: 'this.entries.set(who.hostId, entry)',
        becomes: 'if (!this.entries.has(who.hostId)) this.entries.set(who.hostId, entry)',
      },
    ],
    seed: 1,
  },
  {
    name: 'old session wins: its end takes the newer one with it',
    edits: [
      {
        file: LINKS,
        was: 'if (entry?.link !== link) return\n    this.entries.delete',
        becomes: 'if (!entry) return\n    this.entries.delete',
      },
    ],
    seed: 1,
  },
  {
    name: 'a refusal is not final: its place and its hold stay taken',
    edits: [{ file: 'hub/gateway/streamed.ts', was: 'await run.giveUp(writer.failedEarly, [])', becomes: '' }],
    seed: 1,
  },
  {
    name: 'what fails after its first words is billed',
    edits: [
      {
        file: RUN,
        was: 'if (!(error instanceof Cancelled)) return this.endFree',
        becomes: 'if (!(error instanceof Cancelled) && !this.choices.some(hasText)) return this.endFree',
      },
    ],
    seed: 1,
  },
  {
    name: 'the host counts: its claim is billed',
    edits: [{ file: 'hub/metering/count.ts', was: 'completion: Math.min(host, hub),', becomes: 'completion: host,' }],
    seed: 1,
  },
  {
    name: 'what was never written to a client is billed to it',
    edits: [{ file: RUN, was: 'for (const piece of unwritten) this.answer?.forget(piece)', becomes: '' }],
    seed: 1,
  },
  {
    name: 'an answer that goes on elsewhere is billed from there only',
    edits: [{ file: 'hub/gateway/attempts.ts', was: 'baseTokens + claim.completion', becomes: 'claim.completion' }],
    seed: 1,
  },
  {
    name: 'a cancel stops at the hub',
    edits: [
      {
        file: ATTEMPT,
        was: `this.finish({ kind: 'stopped' })\n    this.attempt.cancel()`,
        becomes: `this.finish({ kind: 'stopped' })`,
      },
    ],
    seed: 1,
  },
  {
    name: 'delivered too soon: a charge is not refunded though its end was never sent',
    edits: [{ file: LEDGER, was: `delivered: ended.state === 'cancelled'`, becomes: 'delivered: true' }],
    seed: 1,
  },
  {
    name: 'a key does not make it once',
    edits: [
      { file: 'hub/gateway/onces.ts', was: 'if (known) return this.again', becomes: 'if (!known) return this.again' },
    ],
    seed: 1,
  },
  {
    name: 'epochs follow the wall clock',
    edits: [
      {
        file: LINKS,
        was: 'Math.max(this.options.env.now(), this.lastEpoch + 1)',
        becomes: 'this.options.env.now()',
      },
    ],
    seed: 1,
  },
  {
    name: 'a hub that stood still takes everybody for dead',
    edits: [
      {
        file: 'hub/tunnel/awake.ts',
        was: 'if (this.expectedAt !== null && now - this.expectedAt > PAUSE_MS)',
        becomes: 'if (false)',
      },
    ],
    seed: 1,
  },
  {
    name: 'a revoked key goes on opening',
    edits: [{ file: 'hub/identity/keyring.ts', was: 'const BELIEVED_MS = 950', becomes: 'const BELIEVED_MS = 60_000' }],
    seed: 1,
  },
  {
    name: 'a place is never given back',
    edits: [{ file: RUN, was: 'this.given.leave()', becomes: '' }],
    seed: 1,
  },
  {
    name: 'an answer has no limit',
    edits: [
      {
        file: 'hub/gateway/answer.ts',
        was: 'const within = choice.limit.within(before, piece)',
        becomes: 'const within = piece',
      },
    ],
    seed: 1,
  },
]
