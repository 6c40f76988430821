import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrate } from '../../db/migrate.ts'
import { openDb } from '../../db/open.ts'
import { Enrolment } from '../../hub/fleet/enrol.ts'
import { FailureBook, noFailures } from '../../hub/fleet/failures.ts'
import { lockHost } from '../../hub/fleet/locks.ts'
import { addUser } from '../../hub/identity/users.ts'
import { silentLog } from '../../hub/log.ts'
import { helloOf } from '../../hub/tunnel/testing.ts'
import { systemEnv } from '../../sdk/env.ts'
import { runProgram } from '../command.ts'
import { hostsCommand } from './hosts.ts'

test('gpuhub hosts shows who failed and what an owner has to do; with an id, what happened', async () => {
  const data = mkdtempSync(join(tmpdir(), 'gpuhub-hosts-'))
  const run = async (...argv: string[]) => {
    let stdout = ''
    let stderr = ''
    const code = await runProgram(
      { name: 'gpuhub', summary: '', commands: [hostsCommand] },
      {
        ...{ argv: ['hosts', ...argv, '--data', data], env: {}, interactive: false },
        stdin: async () => '',
        stdout: (text) => (stdout += text),
        stderr: (text) => (stderr += text),
      },
    )
    return { code, stdout, stderr }
  }
  const db = await openDb(`sqlite:${join(data, 'hub.db')}`)
  try {
    await migrate(db)
    const owner = await addUser(systemEnv, db, { email: 'berlin@example.com', roles: ['host'] })
    const { hardware } = helloOf({})
    const machine = { ownerId: owner.id, tokenId: 'token_1', machine: 'm', name: 'attic', agent: '1', hardware }
    const enrolled = await new Enrolment(systemEnv, db).host(machine)
    if (typeof enrolled === 'string') throw new Error(enrolled)
    const { id } = enrolled
    const book = new FailureBook(systemEnv, db, silentLog)
    const failure = { hostId: id, variant: 'Qwen/Qwen3-8B:bf16', requestId: 'req_1', attempt: 2, tokens: 17 }
    book.note({ ...failure, class: 'engine', code: 'cut', message: 'The answer was cut.' })
    book.note({ ...failure, class: 'hub', code: 'stopping', message: 'This hub is stopping.' })
    await book.flush()
    await lockHost(systemEnv, db, { hostId: id, tokenIds: ['token_1'] })

    const all = await run()
    expect(all.stdout).toContain('gone (!)')
    expect(all.stdout).toMatch(/attic .*engine 1 /)
    expect(all.stdout).toMatch(/^! host_\S+ {2}attic: Two machines use this identity/m)
    const one = await run(id)
    expect(one.stdout).toMatch(/engine +cut +req_1 +2 +17 +The answer was cut\./)
    const json = JSON.parse((await run(id, '--json')).stdout)
    expect(json).toMatchObject({
      ...{ id, state: 'gone', tripped: [], failures: { ...noFailures(), engine: 1, hub: 1 } },
      notices: [{ kind: 'cloned' }],
    })
    expect(json.lastFailures).toHaveLength(2)
    expect(JSON.parse((await run('--json')).stdout)).toMatchObject([{ id, failures: { engine: 1 } }])
    expect(await run('--rent', '1')).toMatchObject({ code: 2 })
    expect(await run('host_unknown', '--rent', '1')).toMatchObject({ code: 1 })
    expect((await run(id, '--rent', 'cheap')).stderr).toContain('dollars an hour')
    const told = JSON.parse((await run(id, '--rent', '0.35', '--team', 'yes', '--json')).stdout)
    expect(told).toMatchObject({ team: true, rentNanos: '350000000', neverPayableNanos: '0' })
    expect((await run(id)).stdout).toMatch(/^rent +\$0\.35 an hour$[^]*^whose +the team’s own/m)
    expect(await run('host_unknown')).toMatchObject({ code: 1, stdout: '' })
  } finally {
    await db.close()
    rmSync(data, { recursive: true, force: true })
  }
})
