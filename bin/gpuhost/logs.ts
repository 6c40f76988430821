import { existsSync, statSync } from 'node:fs'
import { endOf } from '../../host/commands/bundle.ts'
import { homeAt } from '../../host/config.ts'
import { readableLine } from '../../host/log.ts'
import { sleep, systemEnv } from '../../sdk/env.ts'
import { command } from '../command.ts'
import { Failure } from '../failure.ts'

const LOOK_MS = 500

export const logsCommand = command({
  name: 'logs',
  summary: 'What the agent in the background has said.',
  options: {
    follow: { type: 'boolean', help: 'And what it says from now on, until Ctrl-C.' },
    lines: { type: 'integer', value: 'N', default: 50, min: 1, max: 1_000, help: 'How many.' },
  },
  notes: ['An agent in the foreground says it where it was started; a service, in journalctl -u gpuhost.'],
  async run({ options, world, json, out }) {
    const { logPath } = homeAt(world.env)
    if (!existsSync(logPath)) throw new Failure('Nothing was logged yet. Start in the background: gpuhost start.')
    if (json && options.follow) throw new Failure('--follow has no end, and --json one document.', 2)
    let seen = statSync(logPath).size
    const lines = linesOf(endOf(logPath)).slice(-options.lines)
    out(lines, lines.map(readableLine))
    if (!options.follow) return
    const stop = new AbortController()
    process.once('SIGINT', () => stop.abort())
    for (let rest = ''; !stop.signal.aborted; ) {
      await sleep(systemEnv, LOOK_MS, stop.signal)
      const size = statSync(logPath, { throwIfNoEntry: false })?.size ?? 0
      // A file that became shorter is a new one.
      if (size < seen) seen = 0
      rest += await Bun.file(logPath)
        .slice(seen, size)
        .text()
        .catch(() => '')
      seen = size
      const whole = rest.lastIndexOf('\n') + 1
      for (const line of linesOf(rest.slice(0, whole))) world.stdout(`${readableLine(line)}\n`)
      rest = rest.slice(whole)
    }
  },
})

const linesOf = (text: string) => text.split('\n').filter((line) => line !== '')
