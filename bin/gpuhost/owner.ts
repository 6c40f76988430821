// When the card is its owner's: hours, and whenever somebody else uses it. A running agent heeds it within two seconds.
import { describeIdle, describeLimits, describePower, describeSchedule, status } from '../../host/commands/status.ts'
import { type Home, homeAt, makeHome } from '../../host/config.ts'
import { DataCap, DataMeter } from '../../host/owner/data.ts'
import { Owner, type OwnerFacts } from '../../host/owner/owner.ts'
import { systemZone } from '../../host/owner/hours.ts'
import { savedWishes, saveWishes } from '../../host/owner/wishes.ts'
import { findPlace } from '../../host/hardware/place.ts'
import { MACHINE_WATTS } from '../../sdk/earnings.ts'
import { systemEnv } from '../../sdk/env.ts'
import { command, type World } from '../command.ts'
import { Failure } from '../failure.ts'
import { columns } from '../lines.ts'
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
    session: { type: 'boolean', help: 'Also while somebody is at its screen, whatever they do there.' },
  },
  positionals: [{ name: 'switch', optional: true, help: 'on or off; without: shows it.' }],
  notes: [
    'Somebody uses the card when a program that is not ours computes on it with more than 300 MiB of its memory, or draws',
    'on it with more than 512 (desktops excepted), or when GameMode is active; with --session also while a session on a seat',
    'is in front and neither locked nor idle, as loginctl shows it.',
  ],
  run({ options, positionals, world, out, say }) {
    const on = positionals.switch
    if (on !== undefined && on !== 'on' && on !== 'off') throw new Failure('It is either on or off.', 2)
    const home = homeAt(world.env)
    if (on === 'off') saveWishes(home, { idle: null })
    if (on === 'on') saveWishes(home, { idle: { quietMinutes: options.minutes, session: options.session } })
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
    const seen = (await seenBy(home))?.power
    const power = wished && { watts: null, costUsd: null, full: null, ...seen, ...wished }
    out({ power }, [power ? describePower(power) : 'not said: it works whatever power costs'])
  },
})

/** What a running agent knows of it. */
async function seenBy(home: Home): Promise<OwnerFacts | null> {
  const running = await status(systemEnv, home).catch(() => null)
  return running && running.state !== 'stopped' ? running.owner : null
}

const NO_LIMIT = '; 0: no limit.'

export const limitsCommand = command({
  name: 'limits',
  summary: 'How hot, how hungry and how talkative this machine may be at most.',
  options: {
    celsius: { type: 'integer', value: 'N', min: 0, max: 110, help: `Temperature of a card, from 40 on${NO_LIMIT}` },
    watts: { type: 'integer', value: 'N', min: 0, max: 2_000, help: `Power of each card while it works${NO_LIMIT}` },
    data: { type: 'integer', value: 'GB', min: 0, max: 1_000_000, help: `Sent and received in a month${NO_LIMIT}` },
    zone: { type: 'string', value: 'NAME', help: 'Whose months, e.g. Europe/Berlin [default: this system’s].' },
  },
  notes: [
    'A card that is too hot for a minute gets half as much to do, then a quarter, then a rest; each comes back once it has',
    'been cooler for five minutes. Power is set with nvidia-smi, which only root may, and set back when the card rests.',
    'Of its data the owner is told at 80 %; at 100 % what runs may finish, and nothing new is taken until the next month.',
  ],
  async run({ options, world, out }) {
    const { celsius, watts, data: gigabytes, zone } = options
    if (zone !== undefined && !gigabytes) throw new Failure('--zone goes with --data.', 2)
    if (celsius !== undefined && celsius > 0 && celsius < 40)
      throw new Failure('--celsius is 40 at least: cooler no card works. 0 ends the limit.', 2)
    const home = homeAt(world.env)
    if (celsius !== undefined) saveWishes(home, { heat: celsius === 0 ? null : { limitCelsius: celsius } })
    if (watts !== undefined) saveWishes(home, { capWatts: watts === 0 ? null : watts })
    if (gigabytes !== undefined)
      saveWishes(home, { data: gigabytes === 0 ? null : { gigabytes, zone: zone ?? systemZone() } })
    const limits = limitsNow(home, await seenBy(home))
    const lines = columns(describeLimits(limits))
    out(limits, lines.length > 0 ? lines : ['no limits'])
  },
})

/** As they are saved, with what a running agent sees. */
function limitsNow(home: Home, seen: OwnerFacts | null): Pick<OwnerFacts, 'heat' | 'cap' | 'data'> {
  const { heat, capWatts, data } = savedWishes(home)
  const quiet = { info() {}, warn() {}, error() {} }
  makeHome(home)
  const meter = new DataMeter(systemEnv, home.path)
  const used = new DataCap(systemEnv, quiet, meter).facts(data)
  meter.close()
  return {
    heat: heat && { celsius: null, share: 1, ...seen?.heat, ...heat },
    cap: capWatts === null ? null : { trouble: null, ...seen?.cap, watts: capWatts },
    data: used,
  }
}
