#!/usr/bin/env bun
// The GPU owner's program.
import { hostProgram } from './host.ts'
import { main, thisProgram } from './main.ts'

// Keys, logs and sockets are for their owner only.
process.umask(0o077)
await main(hostProgram(thisProgram()))
