#!/usr/bin/env bun
// The GPU owner's program.
import { currentPath, programOf } from '../host/update/program.ts'
import { hostProgram } from './host.ts'
import { main, thisProgram } from './main.ts'

// Keys, logs and sockets are for their owner only.
process.umask(0o077)
const installed = programOf(process.execPath)
// By its link, which leads to another version after an update.
await main(hostProgram(installed ? [currentPath(installed)] : thisProgram(), installed))
