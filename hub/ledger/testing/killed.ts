// A hub that settles answers of random cost until it is killed. Prints what was acknowledged: `ID COST`.
import { openDb } from '../../../db/open.ts'
import { newId, systemEnv } from '../../../sdk/env.ts'
import { silentLog } from '../../log.ts'
import { Ledger } from '../ledger.ts'
import { ADA, ended } from '../testing.ts'

const [, , url = '', round = ''] = process.argv
const ledger = await Ledger.open(systemEnv, await openDb(url), {
  hubId: newId(systemEnv, 'hub'),
  selfUrl: 'http://hub.test',
  feePpm: 150_000,
  writer: 'worker',
  log: silentLog,
})

async function client(name: number): Promise<void> {
  for (let i = 0; ; i++) {
    const id = `req_${round}_${name}_${i}`
    const hold = await ledger.hold(ADA, 100n)
    const cost = BigInt(1 + ((name * 31 + i * 7) % 90))
    await ledger.settle(hold, { ...ended(id), cost })
    if (i % 2 === 0) ledger.delivered(id)
    process.stdout.write(`${id} ${cost}\n`)
  }
}

await Promise.all(Array.from({ length: 8 }, (_, name) => client(name)))
