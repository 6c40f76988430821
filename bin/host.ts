// The commands of `gpuhost`.
import { startInBackground } from '../host/commands/detach.ts'
import { login } from '../host/commands/login.ts'
import { check, start } from '../host/commands/start.ts'
import { describe, describeView, hubsView, status } from '../host/commands/status.ts'
import { stop } from '../host/commands/stop.ts'
import { version } from '../host/commands/version.ts'
import { savedChoice } from '../host/choice.ts'
import { type Home, homeAt } from '../host/config.ts'
import { MOST_GRACE_SECONDS } from '../host/daemon/control.ts'
import { Stopping } from '../host/daemon/stopping.ts'
import { engineNames } from '../host/engine/choose.ts'
import { HostError, reason } from '../host/errors.ts'
import { linkProver, savedLogin } from '../host/login.ts'
import { fileWriter, humanLine, jsonLine, logTo } from '../host/log.ts'
import { httpAddress } from '../host/tunnel/address.ts'
import { dialWith } from '../host/tunnel/dial.ts'
import { lastFailed, type Program } from '../host/update/program.ts'
import { version as release } from '../package.json'
import { systemEnv } from '../sdk/env.ts'
import { command, type Group, type World } from './command.ts'
import { benchCommand } from './gpuhost/bench.ts'
import { doctorCommand } from './gpuhost/doctor.ts'
import { earningsCommand, zoneOf } from './gpuhost/earnings.ts'
import { logsCommand } from './gpuhost/logs.ts'
import { modelsCommand } from './gpuhost/models.ts'
import { idleCommand, limitsCommand, powerCommand, scheduleCommand } from './gpuhost/owner.ts'
import { accessTo, probeCommand, surveyed } from './gpuhost/probe.ts'
import { progressOn } from './gpuhost/progress.ts'
import { launching, leaveCommand, serviceCommands, uninstallEverything } from './gpuhost/service.ts'
import { asking, invitationOption, setupCommand } from './gpuhost/setup.ts'
import { stopping } from './gpuhost/stopping.ts'
import { selfTestCommand, updateCommand, updatesOf } from './gpuhost/update.ts'
import { weightsCommands } from './gpuhost/weights.ts'
import { columns } from './lines.ts'
import { changedSince, forBackground, inBackground, makeRoom, startAnew, withoutToken, withToken } from './restart.ts'

/** `self` is this program as a command, up to where `start` would follow; `program` where install.sh put it. */
export function hostProgram(self: readonly string[], program: Program | null = null): Group {
  return {
    name: 'gpuhost',
    summary: 'Offers this machine’s GPU to a gpuhub and takes it back when you say so.',
    commands: [
      setupCommand(self),
      loginCommand(self),
      startCommand(self, program),
      stopCommand,
      statusCommand,
      earningsCommand,
      scheduleCommand,
      idleCommand,
      powerCommand,
      limitsCommand,
      logsCommand,
      modelsCommand(self),
      weightsCommands,
      benchCommand(self, 'bench'),
      benchCommand(self, 'benchmark'),
      doctorCommand(self),
      probeCommand(self),
      updateCommand(program),
      serviceCommands(program, kill, startCommand(self, program).options),
      leaveCommand,
      uninstallEverything(kill),
      selfTestCommand,
      versionCommand,
    ],
  }
}

const loginCommand = (self: readonly string[]) =>
  command({
    name: 'login',
    summary: 'Let this machine join your account at a hub: type a code into its page.',
    options: {
      hub: { type: 'string', value: 'URL', required: true, help: 'The hub, e.g. https://hub.example.' },
      name: { type: 'string', value: 'NAME', help: 'How the hub shows this machine; its own name otherwise.' },
      ...invitationOption,
      'simulate-gpu': {
        type: 'string',
        value: 'NAME',
        help: 'Name that card, as gpuhost start will pretend to have it.',
      },
    },
    async run({ options, world, out, say }) {
      const progress = progressOn(world)
      const home = homeAt(world.env)
      const { hub, name, invitation } = options
      const settings = { hub, name, invitation, simulateGpu: options['simulate-gpu'] }
      const survey = (simulate?: string) => surveyed(self, world, simulate)
      const ways = { env: systemEnv, home, version: release, fetch, survey, say, progress, ask: asking(world) }
      const saved = await login(settings, ways).finally(() => progress(''))
      out(saved, [`This machine is ${saved.owner}’s at ${saved.hub} now. Serve with: gpuhost start --model MODEL`])
    },
  })

const startCommand = (self: readonly string[], program: Program | null) =>
  command({
    name: 'start',
    summary: 'Link to a hub and serve requests.',
    options: {
      hub: { type: 'string', value: 'URL', help: 'The hub, e.g. https://hub.example; after gpuhost login, that one.' },
      token: {
        type: 'string',
        value: 'TOKEN',
        env: 'GPUHOST_TOKEN',
        help: 'What the hub gave you, without gpuhost login; others can read arguments, so better in the environment.',
      },
      model: {
        type: 'string',
        value: 'ID',
        help: 'What to offer, e.g. Qwen/Qwen3-8B; after gpuhost setup, what was chosen.',
      },
      engine: {
        type: 'string',
        value: 'NAME',
        choices: engineNames,
        help: 'vllm: what setup chose, with docker or as a process; openai: your own; otherwise whichever fits.',
      },
      'engine-image': {
        type: 'string',
        value: 'NAME@sha256:…',
        env: 'GPUHOST_ENGINE_IMAGE',
        help: 'Another image of vLLM than the one this program knows.',
      },
      'engine-url': { type: 'string', value: 'URL', help: 'Where a running OpenAI-compatible server listens.' },
      'engine-model': { type: 'string', value: 'NAME', help: 'What that server calls the model, if it is not clear.' },
      slots: {
        type: 'integer',
        value: 'N',
        default: 16,
        min: 1,
        max: 4_096,
        help: 'Requests the engine works on at a time; fewer, where it says so itself.',
      },
      'context-tokens': {
        type: 'integer',
        value: 'N',
        default: 8_192,
        min: 1,
        max: 100_000_000,
        help: 'Longest prompt plus answer, where the engine does not say.',
      },
      'simulate-gpu': {
        type: 'string',
        value: 'NAME',
        help: 'Pretend, openly, to have that card, e.g. "RTX 4090"; without --engine-url the engine is emulated, too.',
      },
      name: { type: 'string', value: 'NAME', help: 'How the hub shows this machine; its own name otherwise.' },
      grace: {
        type: 'integer',
        value: 'SECONDS',
        default: 120,
        min: 0,
        max: MOST_GRACE_SECONDS,
        help: `How long running requests may take to finish on a stop; at most ${SYSTEM_GRACE_SECONDS} on SIGTERM.`,
      },
      strict: { type: 'boolean', help: 'Only while no other container runs on this machine.' },
      foreground: { type: 'boolean', help: 'Stay here instead of going to the background.' },
    },
    async run({ options, world, out }) {
      const { name, engine, slots } = options
      const model = options.model ?? chosenAt(homeAt(world.env))
      const { hub, token } = whereTo(homeAt(world.env), options)
      check({ model, token })
      if (!options.foreground) {
        const progress = progressOn(world)
        const begun = await startInBackground({
          env: systemEnv,
          home: homeAt(world.env),
          command: [
            ...launching(homeAt(world.env), self, program),
            'start',
            '--foreground',
            ...withoutToken(world.argv),
          ],
          variables: forBackground(withToken(world.env, token)),
          ifItFails: 'give up',
          progress,
        }).finally(() => progress(''))
        return out(begun, columns(describe(begun)))
      }
      makeRoom(self, ['start', ...world.argv], world.env, token)
      const home = homeAt(world.env)
      const log = logFor(world, home.logPath)
      const serving = start(
        {
          hub,
          token,
          model,
          name,
          engine: engineNames.find((each) => each === engine),
          engineImage: options['engine-image'],
          engineUrl: options['engine-url'],
          engineModel: options['engine-model'],
          simulateGpu: options['simulate-gpu'],
          slots,
          contextTokens: options['context-tokens'],
          graceSeconds: options.grace,
          strict: options.strict,
        },
        {
          env: systemEnv,
          home,
          log,
          version: release,
          dial: dialWith(linkProver(home, systemEnv)),
          prove: linkProver(home, systemEnv),
          stopping: stoppedBySignals(options.grace),
          outdated: changedSince(self),
          updates: updatesOf(world, program, { hub, log }),
          launcher: Number(world.env.GPUHOST_LAUNCHER) || undefined,
          failedUpdate: program ? lastFailed(program, systemEnv.now()) : null,
          access: accessTo(self, world.env),
          variables: world.env,
        },
      )
      // In the background the log is all there is to say it; here the program's own words are enough.
      const afterwards = await serving.catch((error: unknown) => {
        if (inBackground(world.env)) log.error(reason(error))
        throw error
      })
      // The launcher starts what is in place now, and has an eye on it.
      if (afterwards === 'restart' && world.env.GPUHOST_LAUNCHER) return 75
      if (afterwards === 'restart') startAnew(self, ['start', ...world.argv], world.env, token)
    },
  })

/** @throws HostError where nothing was chosen */
function chosenAt(home: Home): string {
  const choice = savedChoice(home)
  if (choice) return choice.variant
  throw new HostError('--model ID is missing. Name one, or choose one with gpuhost setup.', 2)
}

const stopCommand = command({
  name: 'stop',
  summary: 'Finish what runs, then stop and give the GPU back.',
  options: {
    now: { type: 'boolean', help: 'At once: running requests move to other hosts, the GPU is free within 10 seconds.' },
    grace: {
      type: 'integer',
      value: 'SECONDS',
      min: 0,
      max: MOST_GRACE_SECONDS,
      help: 'How long what runs may take to finish [default: as the start said, 120].',
    },
  },
  async run({ options, world, out }) {
    const from = stopping(world, kill)
    const stopped = await stop(from, options.now ? 0 : options.grace).finally(() => from.progress(''))
    out(stopped, [stopped.wasRunning ? 'stopped' : 'gpuhost was not running'])
  },
})

const statusCommand = command({
  name: 'status',
  summary: 'What this machine is doing.',
  async run({ world, out }) {
    const home = homeAt(world.env)
    const shown = await status(systemEnv, home)
    const token = world.env.GPUHOST_TOKEN || savedLogin(home)?.token
    const prove = linkProver(home, systemEnv)
    const view = await hubsView(shown, zoneOf(world), (hub) => (token ? { env: systemEnv, hub, token, prove } : null))
    out(view ? { ...shown, atHub: view } : shown, columns([...describe(shown), ...(view ? describeView(view) : [])]))
  },
})

const versionCommand = command({
  name: 'version',
  summary: 'Version of this program and of the protocol it speaks.',
  run({ out }) {
    const shown = version(release)
    out(shown, [`gpuhost ${shown.version} (protocol ${shown.protocol}, Bun ${shown.bun})`])
  },
})

/** What was said wins over what was approved; a token goes only to the hub it is from. @throws HostError */
function whereTo(
  home: Home,
  said: { hub: string | undefined; token: string | undefined },
): { hub: string; token: string } {
  if (said.hub !== undefined && said.token !== undefined) return { hub: said.hub, token: said.token }
  const saved = savedLogin(home)
  const hub = said.hub ?? saved?.hub
  if (hub === undefined) throw new HostError('--hub URL is missing: say which hub, or join one with gpuhost login.', 2)
  if (said.token !== undefined) return { hub, token: said.token }
  if (saved && httpAddress(saved.hub) === httpAddress(hub)) return { hub, token: saved.token }
  throw new HostError(`This machine has not joined ${hub} yet: gpuhost login --hub ${hub}, or give --token TOKEN.`, 2)
}

/** A terminal gets lines to read, a supervisor JSON, and in the background the log is a file. */
function logFor(world: World, logPath: string) {
  if (inBackground(world.env)) {
    // The file is opened on the first line, when the folder is there.
    let write: ((line: string) => void) | undefined
    return logTo(systemEnv, (line) => (write ??= fileWriter(logPath))(line), jsonLine)
  }
  return logTo(systemEnv, world.stderr, world.interactive ? humanLine : jsonLine)
}

/** A service manager kills what does not end in time: 30 seconds with Kubernetes, 90 with systemd. */
const SYSTEM_GRACE_SECONDS = 20

/** The first signal is a polite stop, with less patience where a machine sent it; the second means now. */
function stoppedBySignals(graceSeconds: number): Stopping {
  const stopping = new Stopping(systemEnv)
  const stop = (seconds: number) => stopping.ask({ graceMs: stopping.soon.aborted ? 0 : seconds * 1_000 })
  process.on('SIGINT', () => stop(graceSeconds))
  for (const signal of ['SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => stop(Math.min(graceSeconds, SYSTEM_GRACE_SECONDS)))
  return stopping
}

/** In the background the agent leads a group of its own: what it started goes with it. */
function kill(pid: number): void {
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, 'SIGKILL')
    } catch {
      // No such group, or gone already.
    }
  }
}
