// One hub: makes each part once, wires them, and mounts the doors. Everything it touches comes in through `openHub`.
import { Elysia } from 'elysia'
import type { Db } from '../db/open.ts'
import { type Env, newId } from '../sdk/env.ts'
import { findOffer } from './catalog/find.ts'
import { Offers } from './catalog/offers.ts'
import type { Config } from './config.ts'
import { HubError } from './errors.ts'
import { Presence } from './fleet/presence.ts'
import { type Platform, apiDocument, platformApi } from './gateway/platform.ts'
import { answerInference, inferenceRoute, refusal } from './gateway/openai.ts'
import { Running } from './gateway/running.ts'
import { Keyring } from './identity/keyring.ts'
import { Seal } from './identity/seal.ts'
import { Ledger } from './ledger/ledger.ts'
import type { Log } from './log.ts'
import { startPrices } from './market/book.ts'
import { Counter } from './metering/count.ts'
import { seatFor, Turns } from './routing/turns.ts'
import { Door } from './tunnel/door.ts'

export interface HubOptions {
  env: Env
  config: Config
  db: Db
  log: Log
  /** At least 32 characters; everything the hub signs or names follows from it. */
  secret: string
  version: string
  /** Where settlements are committed: `inline` on this thread, for tests and the simulator. */
  writer: 'worker' | 'inline'
}
