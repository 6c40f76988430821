import releaseKeys from '../../deploy/release-keys.txt' with { type: 'text' }
import { selfTest } from '../../host/commands/self-test.ts'
import { update } from '../../host/commands/update.ts'
import { homeAt } from '../../host/config.ts'
import type { Updates } from '../../host/daemon/update-watch.ts'
import { HostError, reason } from '../../host/errors.ts'
import type { Log } from '../../host/log.ts'
import { savedLogin } from '../../host/login.ts'
import { httpAddress } from '../../host/tunnel/address.ts'
import { confirm, type Program, prolong, trialOf } from '../../host/update/program.ts'
import { install, look, pin, targetOf, type Updating } from '../../host/update/update.ts'
import { version } from '../../package.json'
import { systemEnv } from '../../sdk/env.ts'
import { readKeys } from '../../sdk/release.ts'
import { command, type World } from '../command.ts'
import { metered } from './metered.ts'
import { progressOn } from './progress.ts'

export const updateCommand = (program: Program | null) =>
  command({
    name: 'update',
    summary: 'Bring this program up to date, or say which version it should stay at.',
    options: {
      check: { type: 'boolean', help: 'Only say what there is.' },
      pin: { type: 'string', value: 'VERSION', help: 'Install that version, and stay at it.' },
      unpin: { type: 'boolean', help: 'Follow the newest again.' },
      hub: { type: 'string', value: 'URL', help: 'Where to look; after gpuhost login, that hub.', env: 'GPUHOST_HUB' },
    },
    notes: ['A running agent looks by itself, every hour and when its hub has news.'],
    async run({ options, world, out }) {
      const home = homeAt(world.env)
      if (options.pin !== undefined && options.unpin) throw new HostError('--pin and --unpin exclude each other.', 2)
      if (options.unpin) pin(home, null)
      if (options.pin !== undefined) pin(home, options.pin)
      const hub = options.hub ?? savedLogin(home)?.hub
      if (hub === undefined)
        throw new HostError('--hub URL is missing: say which hub, or join one with gpuhost login.', 2)
      const progress = progressOn(world)
      const own = ownProgram(program)
      const { signal } = new AbortController()
      const report = await metered(world, (count) =>
        update(updatingFrom(world, own, { hub, progress, signal, count }), options.check ? 'check' : 'install'),
      ).finally(() => progress(''))
      out(
        report,
        [
          report.state === 'here' ? `gpuhost ${report.version}: ${report.why}` : '',
          report.state === 'there'
            ? `gpuhost ${report.offered} is there, this is ${report.version}: ${report.why}`
            : '',
          report.state === 'installed' ? `gpuhost ${report.version} is installed: ${report.why}` : '',
        ].filter((line) => line !== ''),
      )
    },
  })

export const selfTestCommand = command({
  name: 'self-test',
  summary: 'Try whether this program works on this machine; an update does so first.',
  async run({ out }) {
    const tested = await selfTest(systemEnv, version, readKeys(releaseKeys))
    out(tested, [`gpuhost ${tested.version} works here`])
  },
})

/** What an agent does about newer programs; undefined for a program that nobody installed. */
export function updatesOf(
  world: World,
  program: Program | null,
  { hub, log }: { hub: string; log: Log },
): Updates | undefined {
  if (!program) return undefined
  // An agent that is about to be replaced must not speak for the one that comes.
  const mine = () => trialOf(program)?.version === version
  return {
    // Without a launcher there is nobody who could go back: then the owner updates.
    async install(signal) {
      if (!world.env.GPUHOST_LAUNCHER) return
      await metered(world, async (count) => {
        const updating = updatingFrom(world, program, { hub, progress: () => {}, signal, count })
        const found = await look(updating, false)
        if (found.kind === 'stay') return
        log.info('updating', { to: found.version })
        await install(updating, found)
      })
    },
    prolong: () => mine() && prolong(program, systemEnv.now()),
    confirm() {
      if (!mine()) return
      log.info('this version works here', { version })
      confirm(program)
    },
  }
}

function updatingFrom(
  { env }: World,
  program: Program,
  { hub, ...more }: { hub: string } & Pick<Updating, 'progress' | 'signal' | 'count'>,
): Updating {
  return {
    ...{ env: systemEnv, home: homeAt(env), program, ...more },
    hub: httpAddress(hub),
    keys: readKeys(releaseKeys),
    target: targetOf(process.arch),
    selfTest: (path) => askItself(path, env),
  }
}

const SELF_TEST_MS = 60_000

/** @throws HostError when it does not work here */
async function askItself(path: string, env: World['env']): Promise<string> {
  const child = Bun.spawn([path, 'self-test', '--json'], {
    // No token, no settings: nothing in it is needed to see whether it works.
    env: { PATH: env.PATH, HOME: env.HOME, TMPDIR: env.TMPDIR },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: SELF_TEST_MS,
    killSignal: 'SIGKILL',
  })
  const [said, complaint] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  if ((await child.exited) !== 0)
    throw new HostError(
      `The newer program does not work on this machine: ${complaint.trim().slice(0, 300) || 'it ended'}.`,
    )
  try {
    return String((JSON.parse(said) as { version?: unknown }).version)
  } catch (error) {
    throw new HostError(`The newer program does not say what it is: ${reason(error)}.`)
  }
}

/** @throws HostError */
function ownProgram(program: Program | null): Program {
  if (program) return program
  throw new HostError(
    'This program was put here by hand. Replace it by hand, or install it with install.sh of your hub.',
  )
}
