// When the card is its owner's: hours, and whenever somebody else uses it. A running agent heeds it within two seconds.
import { describeIdle, describePower, describeSchedule, status } from '../../host/commands/status.ts'
import { homeAt } from '../../host/config.ts'
import { Owner } from '../../host/owner/owner.ts'
import { systemZone } from '../../host/owner/hours.ts'
import { savedWishes, saveWishes } from '../../host/owner/wishes.ts'
import { findPlace } from '../../host/hardware/place.ts'
import { MACHINE_WATTS } from '../../sdk/earnings.ts'
import { systemEnv } from '../../sdk/env.ts'
import { command, type World } from '../command.ts'
import { Failure } from '../failure.ts'
import { usdOf } from './models.ts'

/** How things stand now, by what is saved. */
function standing(world: World) {
  const quiet = { info() {}, warn() {}, error() {} }
  const wishes = savedWishes(homeAt(world.env))
  return new Owner(
    systemEnv,
    quiet,
    () => wishes,
    async () => null,
  ).facts()
}

export const scheduleCommand = command({
  name: 'schedule',
  summary: 'The hours in which this machine works; outside of them the card is free.',
  options: {
    off: { type: 'boolean', help: 'At any time.' },
    zone: { type: 'string', value: 'NAME', help: 'Whose clock, e.g. Europe/Berlin [default: this system’s].' },
  },
  positionals: [
    { name: 'hours', optional: true, help: '"mon-fri 19:00-08:00, sat-sun 00:00-24:00"; without: shows them.' },
  ],
  notes: [
    'Where an end is not after its start it is on the next day. Days: mon … sun, two with a dash, daily, or none, which is',
    'every day. At the end of its hours the agent lets finish what runs, within the grace of gpuhost start, then ends the',
    'engine; when they begin it starts it again.',
  ],
  run({ options, positionals, world, out }) {
    const { hours } = positionals
    if (options.off && hours !== undefined) throw new Failure('Give either hours or --off.', 2)
    if (options.zone !== undefined && hours === undefined) throw new Failure('--zone goes with hours.', 2)
    const home = homeAt(world.env)
    if (options.off) saveWishes(home, { schedule: null })
    if (hours !== undefined) saveWishes(home, { schedule: { text: hours, zone: options.zone ?? systemZone() } })
    const { schedule } = standing(world)
    out({ schedule }, [schedule ? describeSchedule(schedule) : 'no schedule: it works at any time'])
  },
})

export const idleCommand = command({
  name: 'idle',
  summary: 'Whether this machine works only while nobody else uses the card.',
  options: {
    minutes: { type: 'integer', value: 'N', default: 5, min: 1, max: 1_440, help: 'How long it has to be quiet.' },
  },
  positionals: [{ name: 'switch', optional: true, help: 'on or off; without: shows it.' }],
  notes: [
    'Somebody uses the card when a program that is not ours computes on it with more than 300 MiB of its memory, or draws',
    'on it with more than 512 (desktops excepted), or when GameMode is active.',
  ],
  run({ options, positionals, world, out, say }) {
    const on = positionals.switch
    if (on !== undefined && on !== 'on' && on !== 'off') throw new Failure('It is either on or off.', 2)
    const home = homeAt(world.env)
    if (on === 'off') saveWishes(home, { idle: null })
    if (on === 'on') saveWishes(home, { idle: { quietMinutes: options.minutes } })
    if (on === 'on' && findPlace(world.env).container)
      say('In a container other programs cannot be told from our own: only GameMode is looked at.')
    const { idle } = standing(world)
    out({ idle }, [idle ? describeIdle(idle) : 'off: it works whoever uses the card'])
  },
})

export const powerCommand = command({
  name: 'power',
  summary: 'What power costs here, so that this machine never works at a loss.',
  options: {
    price: { type: 'string', value: 'USD', help: 'Of a kilowatt-hour, such as 0.30.' },
    around: {
      type: 'integer',
      value: 'WATTS',
      default: MACHINE_WATTS,
      min: 0,
      max: 10_000,
      help: 'What the machine around its cards draws; 0, if it is on anyway.',
    },
    off: { type: 'boolean', help: 'Work whatever it costs.' },
  },
  notes: [
    'While an hour of nothing but work would earn less, at the price of now, than the power for it costs, the agent takes',
    'nothing new and ends the engine; it comes back once it would earn a tenth more. What cards draw is what gpuhost bench',
    'has measured, else what is published or was seen.',
  ],
  async run({ options, world, out }) {
    const { price, off } = options
    if (off && price !== undefined) throw new Failure('Give either --price or --off.', 2)
    const home = homeAt(world.env)
    if (off) saveWishes(home, { power: null })
    if (price !== undefined)
      saveWishes(home, { power: { kilowattHourUsd: usdOf('--price', price), machineWatts: options.around } })
    const { power: wished } = savedWishes(home)
    const running = await status(systemEnv, home).catch(() => null)
    const seen = running && running.state !== 'stopped' ? running.owner.power : null
    const power = wished && { watts: null, costUsd: null, full: null, ...seen, ...wished }
    out({ power }, [power ? describePower(power) : 'not said: it works whatever power costs'])
  },
})
