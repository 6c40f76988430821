// Every story, in the order in which they are told.
import type { Scenario } from './scenario.ts'
import { badLinks } from './scenarios/bad-links.ts'
import { clones } from './scenarios/clones.ts'
import { diskFull } from './scenarios/disk-full.ts'
import { engineKills } from './scenarios/engine-kills.ts'
import { frozenHosts } from './scenarios/frozen-hosts.ts'
import { hostKills } from './scenarios/host-kills.ts'
import { hubFreezes } from './scenarios/hub-freezes.ts'
import { hubKills } from './scenarios/hub-kills.ts'
import { hubGrace, hubRestarts } from './scenarios/hub-restarts.ts'
import { lostHosts } from './scenarios/lost-hosts.ts'
import { ownerPlays } from './scenarios/owner-plays.ts'
import { ownerStops } from './scenarios/owner-stops.ts'
import { postgresDiskFull } from './scenarios/postgres-disk-full.ts'
import { postgresOutages } from './scenarios/postgres-outages.ts'
import { rollingRestart } from './scenarios/rolling-restart.ts'

export const scenarios: readonly Scenario[] = [
  hostKills,
  lostHosts,
  frozenHosts,
  engineKills,
  badLinks,
  ownerStops,
  ownerPlays,
  clones,
  hubKills,
  hubFreezes,
  hubRestarts,
  hubGrace,
  rollingRestart,
  diskFull,
  postgresOutages,
  postgresDiskFull,
]
