import { listHosts } from '../../hub/fleet/list.ts'
import { systemEnv } from '../../sdk/env.ts'
import { command } from '../command.ts'
import { table } from '../lines.ts'
import { onDatabase, place } from './database.ts'
import { moment } from './moment.ts'

export const hostsCommand = command({
  name: 'hosts',
  summary: 'List the fleet: who is here, in what state, with which models.',
  options: place,
  run: ({ options, world, out }) =>
    onDatabase({ world, data: options.data }, async (db) => {
      const hosts = (await listHosts(systemEnv, db)).map((host) => ({
        ...host,
        since: moment(host.since),
        seenAt: moment(host.seenAt),
      }))
      const rows = hosts.map((host) => [
        host.id,
        host.owner,
        host.name,
        host.state,
        host.models.join(', '),
        host.simulated ? `${host.hardware} (simulated)` : host.hardware,
        host.since,
      ])
      const header = ['id', 'owner', 'name', 'state', 'models', 'hardware', 'since']
      out(hosts, table({ header, rows, empty: 'No hosts yet. Make a token for one with: gpuhub host-token add EMAIL' }))
    }),
})
