#!/usr/bin/env bun
// The hub's command line. `gpuhub serve` runs a hub; the other commands act on its database, beside it.
import { backupCommand, restoreCommand } from './gpuhub/backup.ts'
import { demoCommand } from './gpuhub/demo.ts'
import { doctorCommand } from './gpuhub/doctor.ts'
import { hostTokenCommands } from './gpuhub/host-token.ts'
import { hostsCommand } from './gpuhub/hosts.ts'
import { inviteCommands } from './gpuhub/invite.ts'
import { keyCommands } from './gpuhub/key.ts'
import { ledgerCommands } from './gpuhub/ledger.ts'
import { licenceCommands } from './gpuhub/licence.ts'
import { migrateCommand } from './gpuhub/migrate.ts'
import { modelCommands } from './gpuhub/model.ts'
import { restartWith } from './gpuhub/restart-with.ts'
import { requestsCommand } from './gpuhub/requests.ts'
import { serveCommand } from './gpuhub/serve.ts'
import { actsCommand, settingCommands } from './gpuhub/setting.ts'
import { userCommands } from './gpuhub/user.ts'
import { versionCommand } from './gpuhub/version.ts'
import { hostProgram } from './host.ts'
import { main, thisProgram } from './main.ts'

// What the hub writes (database, secret, backups) is for its owner only.
process.umask(0o077)

// The demo's hosts are children of this same file, so that one binary is enough.
const [, , first, ...rest] = process.argv
// Memory that is given back to the system at once is fetched again by the next request, which costs a fifth of it.
if (first === 'serve') restartWith({ MIMALLOC_PURGE_DELAY: '1000' }, process.env)
if (first === 'host-of-demo') await main(hostProgram([...thisProgram(), first]), { argv: rest })

await main({
  name: 'gpuhub',
  summary: 'Sells idle GPUs’ hours by the token, behind an OpenAI-compatible API.',
  commands: [
    serveCommand,
    demoCommand,
    userCommands,
    inviteCommands,
    keyCommands,
    hostTokenCommands,
    modelCommands,
    licenceCommands,
    hostsCommand,
    requestsCommand,
    ledgerCommands,
    settingCommands,
    actsCommand,
    doctorCommand,
    backupCommand,
    restoreCommand,
    migrateCommand,
    versionCommand,
  ],
})
