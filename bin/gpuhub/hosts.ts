import type { Db } from '../../db/open.ts'
import { failuresOf } from '../../hub/fleet/failures.ts'
import { FAILURE_DAYS, findHost, type ListedHost, listHosts, withFailures } from '../../hub/fleet/list.ts'
import { neverPayable, nowOf, setTenure, tenuresOf } from '../../hub/fleet/tenure.ts'
import { systemEnv } from '../../sdk/env.ts'
import { formatUsd } from '../../sdk/money.ts'
import { command, type Context } from '../command.ts'
import { Failure } from '../failure.ts'
import { columns, table } from '../lines.ts'
import { onDatabase, place } from './database.ts'
import { moment } from './moment.ts'

export const hostsCommand = command({
  name: 'hosts',
  summary: 'List the fleet: who is here, in what state, with which models. With an ID: what failed on that host.',
  positionals: [{ name: 'id', help: 'One host: its last failures and what its owner has to do.', optional: true }],
  options: {
    ...place,
    rent: {
      type: 'string',
      value: 'USD',
      help: 'With an ID: what that machine costs an hour, such as 0.35; 0 for none.',
    },
    team: {
      type: 'string',
      value: 'yes|no',
      choices: ['yes', 'no'],
      help: 'With an ID: it is the team’s own, and from now on not paid for; or it no longer is.',
    },
  },
  run: ({ positionals, options, world, out }) =>
    onDatabase({ world, data: options.data }, async (db) => {
      const { rent, team } = options
      if (positionals.id === undefined) {
        if (rent !== undefined || team !== undefined)
          throw new Failure('--rent and --team are said of one host.', 2, 'gpuhub hosts ID --rent 0.35')
        return showAll(db, out)
      }
      if (rent !== undefined || team !== undefined) {
        const said = {
          ...(rent === undefined ? {} : { rent }),
          ...(team === undefined ? {} : { team: team === 'yes' }),
        }
        await setTenure({ env: systemEnv, db }, 'command line', { id: positionals.id, ...said })
      }
      return showOne(db, positionals.id, out)
    }),
})

async function showAll(db: Db, out: Context['out']): Promise<void> {
  const hosts = await withFailures(systemEnv, db, await listHosts(systemEnv, db))
  const rows = hosts.map((host) => [
    host.id,
    host.owner,
    host.name,
    host.notices.length > 0 || host.network?.words ? `${host.state} (!)` : host.state,
    models(host),
    host.simulated ? `${host.hardware} (simulated)` : host.hardware,
    failures(host),
    moment(host.since),
  ])
  const slow = hosts.flatMap(({ id, network }) =>
    network && network.words !== '' ? [`! ${id}  ${network.words}`] : [],
  )
  const header = ['id', 'owner', 'name', 'state', 'models', 'hardware', `failed in ${FAILURE_DAYS} d`, 'since']
  const lines = table({ header, rows, empty: 'No hosts yet. Make a token for one with: gpuhub host-token add EMAIL' })
  const notices = [...hosts.flatMap((host) => host.notices.map(({ message }) => `! ${host.id}  ${message}`)), ...slow]
  out(hosts.map(told), notices.length > 0 ? [...lines, '', ...notices] : lines)
}

async function showOne(db: Db, id: string, out: Context['out']): Promise<void> {
  const host = await findHost(systemEnv, db, id)
  if (!host) throw new Failure('There is no host with this id.', 1, 'See: gpuhub hosts')
  const last = await failuresOf(db, host.id)
  const tenures = (await tenuresOf(db, [host.id])).get(host.id) ?? []
  const tenure = nowOf(tenures)
  const withheld = await neverPayable(db, host.id, tenures, systemEnv.now())
  const rows = last.map(({ at, variant, class: whose, code, message, requestId, attempt, tokens }) => [
    ...[moment(at), variant, whose, code, requestId, String(attempt), String(tokens), message],
  ])
  const header = ['at', 'model', 'whose', 'code', 'request', 'attempt', 'tokens', 'what happened']
  const lines = [
    ...columns([
      ['id', host.id],
      ['owner', host.owner],
      ['name', host.name],
      ['state', `${host.state} since ${moment(host.since)}`],
      ['models', models(host) || 'none'],
      ['hardware', host.simulated ? `${host.hardware} (simulated)` : host.hardware],
      [`failed in ${FAILURE_DAYS} d`, failures(host) || 'nothing'],
      ['vetting', host.stage],
      ['network', network(host)],
      ['rent', tenure.rent === 0n ? 'none' : `${formatUsd(tenure.rent)} an hour`],
      ...(tenure.team ? [['whose', 'the team’s own: what it earns is not paid out']] : []),
      ...(withheld > 0n ? [['never paid out', `${formatUsd(withheld)}, earned while it was the team’s own`]] : []),
      ...(host.network?.words ? [[`! ${moment(host.network.since)}`, host.network.words]] : []),
      ...host.notices.map(({ at, message }) => [`! ${moment(at)}`, message]),
    ]),
    '',
    ...table({ header, rows, empty: 'No attempt has failed here.' }),
  ]
  const money = { team: tenure.team, rentNanos: String(tenure.rent), neverPayableNanos: String(withheld) }
  out({ ...told(host), ...money, lastFailures: last.map((failure) => ({ ...failure, at: moment(failure.at) })) }, lines)
}

function told(host: ListedHost) {
  return {
    ...host,
    notices: host.notices.map((notice) => ({ ...notice, at: moment(notice.at) })),
    network: host.network && { ...host.network, since: moment(host.network.since) },
    checkedAt: host.checkedAt === null ? null : moment(host.checkedAt),
    since: moment(host.since),
    seenAt: moment(host.seenAt),
  }
}

function network({ network }: ListedHost): string {
  if (!network) return 'not measured yet'
  const { state, downMbits, upMbits, roundTripMs, linkLosses } = network
  const known = (value: number | null) => value ?? '?'
  return `${state}: ${known(downMbits)} Mbit/s down, ${known(upMbits)} up, ${known(roundTripMs)} ms, ${linkLosses} links lost in an hour`
}

function models(host: ListedHost): string {
  return host.models.map((model) => (host.tripped.includes(model) ? `${model} (sits out)` : model)).join(', ')
}

/** `host 2, network 1`; what is nobody's on this machine is left to --json. */
function failures({ failures: { host, engine, network } }: ListedHost): string {
  return Object.entries({ host, engine, network })
    .filter(([, count]) => count > 0)
    .map(([whose, count]) => `${whose} ${count}`)
    .join(', ')
}
