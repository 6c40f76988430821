// What the people's side of a hub is made of, handed to every function of this folder. Made once, by hub.ts.
import type { Log } from '../log.ts'
import type { Policy } from '../policy/policy.ts'
import type { Callers } from './caller.ts'
import type { Gate } from './guard.ts'
import type { Seal } from './seal.ts'

export interface Identity extends Gate {
  log: Log
  seal: Seal
  policy: Policy
  callers: Callers
}
