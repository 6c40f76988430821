// What the inference door needs from the rest of the hub, handed in once by hub.ts.
import type { Env } from '../../sdk/env.ts'
import type { Offers } from '../catalog/offers.ts'
import type { Config } from '../config.ts'
import type { Keyring } from '../identity/keyring.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Log } from '../log.ts'
import type { PriceBook } from '../market/book.ts'
import type { Meter } from '../metering/meter.ts'
import type { Policy } from '../policy/policy.ts'
import type { Health } from '../routing/health.ts'
import type { Turns } from '../routing/turns.ts'
import type { Awake } from '../tunnel/awake.ts'
import type { Bodies } from './body.ts'
import type { Budgets } from './budgets.ts'
import type { Onces } from './onces.ts'
import type { Quotas } from './quotas.ts'
import type { Live } from './live.ts'
import type { OneByOne } from './one-by-one.ts'
import type { Run } from './run.ts'
import type { Running } from './running.ts'
import type { Strangers } from './strangers.ts'

export interface Gateway {
  env: Env
  config: Config
  log: Log
  keyring: Keyring
  policy: Policy
  offers: Offers
  prices: PriceBook
  turns: Turns
  /** How long to wait for a seat; hears how each attempt ended. */
  health: Health
  /** The clock for watchdogs: it does not count time in which this hub stood still. */
  awake: Awake
  ledger: Ledger
  meter: Meter
  running: Running
  live: Live<Run>
  /** Where answers that lost their host wait for their turn to be moved. */
  moves: OneByOne
  bodies: Bodies
  onces: Onces
  quotas: Quotas
  budgets: Budgets
  strangers: Strangers
  /** Names a host to one account: stable there, and unlike the name any other account sees. */
  nameHost: (hostId: string, account: string) => string
  /** Keeps the prefix caches of accounts apart on a shared engine. */
  cacheSalt: (account: string) => string
}
