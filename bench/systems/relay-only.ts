// A hub whose books cost nothing and keep nothing: never for real use. What it is slower than nothing by is the relay,
// what the shipped hub is slower than this by is money.
import { startServing } from '../../bin/gpuhub/serve.ts'
import { readConfig } from '../../hub/config.ts'
import type { Hold, Ledger } from '../../hub/ledger/ledger.ts'
import { Grant, Hold as OpenHold } from '../../hub/ledger/purse.ts'
import type { Money } from '../../sdk/money.ts'

const grant = new Grant('bench')

const free: Pick<Ledger, 'hold' | 'release' | 'settle' | 'record' | 'delivered' | 'refund'> = {
  hold: (account: string, amount: Money): Hold => new OpenHold(0, account, amount, grant),
  release() {},
  settle: async (_hold, { cost }) => ({ cost, fee: 0n, hostShare: cost }),
  record() {},
  delivered() {},
  refund() {},
}

const { hub } = await startServing(readConfig(process.env), { interactive: false })
Object.assign(hub.platform.ledger, free)
