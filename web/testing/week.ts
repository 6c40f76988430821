// A week of requests in the past of a hub that runs, with their charges: what a picture of its pages needs.
import { Database } from 'bun:sqlite'

const HOUR_MS = 60 * 60_000
const HOURS = 7 * 24
const MODELS = ['Qwen/Qwen3-8B:bf16', 'openai/gpt-oss-20b:mxfp4', 'mistralai/Mistral-Nemo-Instruct-2407:bf16']

export interface Week {
  userId: string
  keyIds: string[]
  hostIds: string[]
  /** Milliseconds since 1970; the week ends here. */
  now: number
}

/** Written beside the hub, in one transaction; sums are taken again by the hub's own job. */
export function addWeek(file: string, { userId, keyIds, hostIds, now }: Week): void {
  const db = new Database(file)
  try {
    db.run('PRAGMA busy_timeout = 5000')
    db.transaction(() => {
      for (let hour = HOURS; hour > 0; hour--)
        for (let n = requestsIn(hour); n > 0; n--) {
          const at = now - hour * HOUR_MS + n * 61_000
          addRequest(db, { n: hour * 100 + n, at, userId, keyIds, hostIds })
        }
      const sums = `select account, sum(amount) as amount from entries where posting like 'req_00%' group by account`
      db.run(
        `update accounts set balance = balance + coalesce((select amount from (${sums}) s where s.account = id), 0)`,
      )
      db.run(`insert into accounts (id, balance) select account, amount from (${sums})
        where account like 'host:%' and account not in (select id from accounts)`)
      for (const table of ['client_traffic', 'host_traffic', 'owner_traffic', 'all_traffic', 'traffic_until'])
        db.run(`delete from ${table}`)
    })()
  } finally {
    db.close()
  }
}

/** Busy by day, quiet by night, and growing. */
function requestsIn(hour: number): number {
  const wave = 1 + Math.sin(((hour % 24) / 24) * 2 * Math.PI)
  return 2 + Math.round(wave * 9 + (HOURS - hour) / 24)
}

function addRequest(
  db: Database,
  { n, at, userId, keyIds, hostIds }: Omit<Week, 'now'> & { n: number; at: number },
): void {
  // Told apart from the hub's own by its zeros.
  const id = `req_${String(n).padStart(26, '0')}`
  const [prompt, answer] = [1_800 + ((n * 7_919) % 24_000), 90 + ((n * 104_729) % 2_300)]
  const failed = n % 211 === 0
  const cost = failed ? 0 : prompt * 20 + answer * 100
  const fee = Math.floor((cost * 15) / 100)
  const hostId = hostIds[n % hostIds.length] ?? ''
  db.query(
    `insert into requests (id, hub_id, user_id, key_id, variant, state, stream, at, ended_at, first_token_ms,
      prompt_tokens, completion_tokens, counts_differ, prompt_picos, completion_picos, cost, fee, host_share, host_id,
      attempts, finish_reason, error_code, delivered)
    values (?, 'the week', ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, 0, 20000, 100000, ?, ?, ?, ?, ?, ?, ?, 1)`,
  ).run(
    ...[
      id,
      userId,
      keyIds[n % keyIds.length] ?? '',
      MODELS[((n * n) % 7) % MODELS.length] ?? '',
      failed ? 'failed' : 'completed',
    ],
    ...[at, at + 400 + answer * 12, failed ? null : 190 + ((n * 31) % 400), prompt, failed ? 0 : answer],
    ...[cost, fee, cost - fee, failed ? null : hostId, n % 97 === 0 ? 2 : 1],
    ...[failed ? null : 'stop', failed ? 'no_host_available' : null],
  )
  if (cost === 0) return
  db.query(`insert into postings (key, kind, note, at) values (?, 'usage', '', ?)`).run(id, at)
  const lines: [string, number][] = [
    [`client:${userId}`, -cost],
    [`host:${hostId}:pending`, cost - fee],
    ['platform:fees', fee],
  ]
  for (const [line, [account, amount]] of lines.entries())
    db.query('insert into entries (posting, line, account, amount, at) values (?, ?, ?, ?, ?)').run(
      ...[id, line, account, amount, at],
    )
}
