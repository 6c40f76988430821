import { homedir } from 'node:os'
import { startInBackground } from '../../host/commands/detach.ts'
import { describe } from '../../host/commands/status.ts'
import { type Farewell, farewell, uninstall, type Uninstalled } from '../../host/commands/uninstall.ts'
import { type Home, homeAt, knownMachine } from '../../host/config.ts'
import { engineRoom } from '../../host/engine/vllm/sweep.ts'
import { HostError } from '../../host/errors.ts'
import { stop } from '../../host/commands/stop.ts'
import { depart } from '../../host/hub/member.ts'
import { linkProver, savedLogin } from '../../host/login.ts'
import { httpAddress } from '../../host/tunnel/address.ts'
import {
  installForMachine,
  installForUser,
  type Keeper,
  keepsUserServices,
  launcherPath,
  serviceStatus,
  type ServiceWorld,
  uninstallForUser,
  userSecrets,
  writeLauncher,
} from '../../host/service/service.ts'
import type { Program } from '../../host/update/program.ts'
import { systemEnv } from '../../sdk/env.ts'
import { command, type Group, type World } from '../command.ts'
import { columns } from '../lines.ts'
import type { Options } from '../options.ts'
import { forBackground, withoutToken, withToken } from '../restart.ts'
import { type Kill, stopping } from './stopping.ts'

/** What starts the agent in the background: with an installed program, what also keeps it running. */
export function launching(home: Home, self: readonly string[], program: Program | null): string[] {
  if (!program) return [...self]
  writeLauncher(home)
  return [launcherPath(home)]
}

/** `startOptions`: of `gpuhost start`, all of which a service may be given. */
export const serviceCommands = (program: Program | null, kill: Kill, startOptions: Options): Group => ({
  name: 'service',
  summary: 'Keep the agent running, also after a reboot.',
  commands: [installCommand(program, startOptions), uninstallCommand(kill), statusCommand],
})

const OWN = ['--system', '--docker', '--json', '--foreground']

const installCommand = (program: Program | null, startOptions: Options) =>
  command({
    name: 'install',
    summary: 'Start the agent now and with the machine; takes what gpuhost start takes.',
    options: {
      ...startOptions,
      system: {
        type: 'boolean',
        help: 'As a service of the machine with a user of its own; root only, by install.sh.',
      },
      docker: { type: 'boolean', help: 'With --system: may use the Docker engine, which is as much as being root.' },
    },
    notes: ['Without systemd (containers) it is started in the background and kept running until the container ends.'],
    async run({ options, world, out, say }) {
      const home = homeAt(world.env)
      const { token: said }: Record<string, unknown> = options
      const token = typeof said === 'string' && said !== '' ? said : null
      const words = withoutToken(world.argv).filter((word) => !OWN.includes(word))
      const service = serviceWorld(world, home)
      const wanted = { words, token, docker: options.docker === true }
      if (options.system) {
        if (process.getuid?.() !== 0)
          throw new HostError('A service of the machine is installed by root: see install.sh --system.', 2)
        await installForMachine(service, wanted)
        return out({ keeper: 'system' satisfies Keeper }, ['gpuhost.service is enabled'])
      }
      if (!program)
        throw new HostError('This program was put here by hand: install it with install.sh of your hub first.')
      if (await keepsUserServices(service)) {
        await installForUser(service, wanted)
        return out({ keeper: 'user' satisfies Keeper }, ['gpuhost.service of this user is enabled and started'])
      }
      const from = stopping(world, () => {})
      const { progress } = from
      await stop(from, undefined)
      const begun = await startInBackground({
        ...{ env: systemEnv, home, progress, ifItFails: 'keep trying' },
        command: [...launching(home, [], program), 'start', '--foreground', ...words],
        variables: forBackground(token === null ? world.env : withToken(world.env, token)),
      }).finally(() => progress(''))
      say('No systemd here: whatever starts this container has to run this line again (docs/hosting.md).')
      out({ keeper: 'launcher' satisfies Keeper, ...begun }, columns(describe(begun)))
    },
  })

const uninstallCommand = (kill: Kill) =>
  command({
    name: 'uninstall',
    summary: 'Let what runs finish, and start nothing any more.',
    async run({ world, out }) {
      const home = homeAt(world.env)
      const from = stopping(world, kill)
      const had = await uninstallForUser(serviceWorld(world, home))
      const { wasRunning } = await stop(from, undefined).finally(() => from.progress(''))
      out({ removed: had, stopped: wasRunning }, [
        had || wasRunning ? 'gpuhost is stopped, and stays so' : 'there was no service',
      ])
    },
  })

const statusCommand = command({
  name: 'status',
  summary: 'Who keeps the agent running.',
  async run({ world, out }) {
    const report = await serviceStatus(serviceWorld(world, homeAt(world.env)))
    const keeper = {
      system: 'systemd',
      user: 'systemd, for this user',
      launcher: 'its launcher, until the container ends',
    }
    out(
      report,
      columns([
        ['kept by', report.keeper === null ? 'nobody' : keeper[report.keeper]],
        ['with the machine', report.enabled ? 'starts' : 'does not start'],
        ['agent', report.agent ?? 'not running'],
      ]),
    )
  },
})

export const uninstallEverything = (kill: Kill) =>
  command({
    name: 'uninstall',
    summary: 'Stop, and remove everything: the program, its service, its settings, the weights.',
    options: { yes: { type: 'boolean', help: 'Do it.' } },
    async run({ options, world, out, say }) {
      const home = homeAt(world.env)
      if (!options.yes)
        throw new HostError(`This stops gpuhost and removes ${home.path} with all weights: gpuhost uninstall --yes`, 2)
      const from = stopping(world, kill)
      const engine = engineRoom(home, world.env)
      const ways = { ...serviceWorld(world, home), ...from, engine, farewell: farewellOf(world, home) }
      const gone = await uninstall(ways).finally(() => from.progress(''))
      out(gone, ['gpuhost is gone:', ...gone.removed.map((path) => `  ${path}`)])
      if (gone.hub && !gone.hub.told) say(untold(gone.hub))
    },
  })

export const leaveCommand = command({
  name: 'leave',
  summary: 'Tell the hub that this machine has left, and will not be back. Removes nothing here; stop it first.',
  async run({ world, out }) {
    const to = farewellOf(world, homeAt(world.env))
    if (to === null) throw new HostError('This machine has joined no hub, as far as it knows.')
    const hub = await farewell({ env: systemEnv, farewell: to })
    if (!hub?.told) throw new HostError(hub ? untold(hub) : 'Nobody was told.')
    out(hub, [`${hub.address} knows that this machine has left. gpuhost start brings it back, or gpuhost login.`])
  },
})

function untold({ address, why }: NonNullable<Uninstalled['hub']>): string {
  return `${address} could not be told (${why}). Revoke this machine’s token on your page there.`
}

/** Whom this machine has joined, if nothing about it is damaged. */
function farewellOf({ env }: World, home: Home): Farewell {
  try {
    const saved = savedLogin(home)
    const machine = knownMachine(home)
    const prove = linkProver(home, systemEnv)
    const given = userSecrets(home)
    const address = env.GPUHOST_HUB || given.GPUHOST_HUB || saved?.hub
    const token = env.GPUHOST_TOKEN || given.GPUHOST_TOKEN || saved?.token
    if (!address || !token || machine === null) return null
    const hub = httpAddress(address)
    return { address, depart: () => depart({ env: systemEnv, hub, token, prove }, machine) }
  } catch {
    return null
  }
}

function serviceWorld({ env }: World, home: Home): ServiceWorld {
  return {
    ...{ env: systemEnv, home, root: '/', userFolder: env.HOME || homedir() },
    async run(words) {
      const [program = ''] = words
      if (!Bun.which(program)) return { code: 127, said: '' }
      const child = Bun.spawn([...words], { stdio: ['ignore', 'pipe', 'pipe'], env, timeout: 60_000 })
      const [said, complaint] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
      ])
      return { code: await child.exited, said: said + complaint }
    },
  }
}
