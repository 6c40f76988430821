import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDb } from '../../db/open.ts'
import { testDatabase, testDialects } from '../../db/testing.ts'
import { runProgram } from '../command.ts'
import { inviteCommands } from './invite.ts'
import { keyCommands } from './key.ts'
import { actsCommand, settingCommands } from './setting.ts'
import { userCommands } from './user.ts'

const program = {
  name: 'gpuhub',
  summary: '',
  commands: [userCommands, keyCommands, inviteCommands, settingCommands, actsCommand],
}

describe.each(testDialects)('the command line on %s', (dialect) => {
  let env: Record<string, string>
  let drop: () => Promise<void>
  beforeEach(async () => {
    const data = mkdtempSync(join(tmpdir(), 'gpuhub-people-'))
    const database = dialect === 'postgres' ? await testDatabase(dialect) : null
    env = {
      GPUHUB_DATA: data,
      GPUHUB_PUBLIC_URL: 'https://hub.example/',
      ...(database ? { DATABASE_URL: database.url } : {}),
    }
    drop = async () => {
      await database?.drop()
      rmSync(data, { recursive: true, force: true })
    }
  })
  afterEach(() => drop())

  async function run(argv: string[], stdin = '') {
    let stdout = ''
    let stderr = ''
    const code = await runProgram(program, {
      ...{ argv, env, interactive: false },
      stdout: (text) => (stdout += text),
      stderr: (text) => (stderr += text),
      stdin: async () => stdin,
    })
    return { code, stdout, stderr }
  }
  const json = async (...argv: string[]) => JSON.parse((await run([...argv, '--json'])).stdout)
  const rows = async <T>(read: (db: Awaited<ReturnType<typeof openDb>>) => Promise<T>): Promise<T> => {
    const db = await openDb(env.DATABASE_URL ?? `sqlite:${join(env.GPUHUB_DATA!, 'hub.db')}`)
    return read(db).finally(() => db.close())
  }

  test('a user gets a password from the standard input, or a link to choose one', async () => {
    const added = await run(
      ['user', 'add', 'ada@example.com', '--role', 'admin', '--password-stdin'],
      'four words in a row\n',
    )
    expect(added).toMatchObject({ code: 0, stderr: '' })
    const hash = await rows((db) => db.query.select().from(db.tables.logins))
    expect(await Bun.password.verify('four words in a row', hash[0]?.secret ?? '')).toBe(true)
    const weak = await run(['user', 'add', 'bob@example.com', '--password-stdin'], 'password\n')
    expect([weak.code, weak.stderr]).toEqual([1, expect.stringContaining('at least 10 characters')])
    const plain = await run(['user', 'add', 'eve@example.com'])
    expect(plain.stderr).toContain('gpuhub user reset-link eve@example.com')
    const { link } = await json('user', 'reset-link', 'eve@example.com')
    expect(link).toStartWith('https://hub.example/password?ticket=ght_')
    expect((await json('user', 'list')).map((user: { email: string }) => user.email)).toEqual([
      ...['ada@example.com', 'eve@example.com'],
    ])
  })

  test('a key is made for some models, and later for others or all', async () => {
    await run(['user', 'add', 'ada@example.com'])
    const models = ['Qwen/Qwen3-8B', 'Qwen/Qwen3-14B:awq']
    const flags = models.flatMap((model) => ['--model', model])
    const { id, models: kept } = await json('key', 'add', 'ada@example.com', ...flags)
    expect(kept).toEqual(models)
    expect((await run(['key', 'list'])).stdout).toContain('only Qwen/Qwen3-8B and Qwen/Qwen3-14B:awq')
    const wrong = await run(['key', 'add', 'ada@example.com', '--model', 'Qwen3-8B'])
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('Did you mean Qwen/Qwen3-8B?')])
    expect(await json('key', 'limit', id, '--budget', '5')).toMatchObject({ models, budgetNanos: '5000000000' })
    expect((await run(['key', 'limit', id, '--model', 'all', ...flags])).code).toBe(2)
    expect(await json('key', 'limit', id, '--model', 'all')).toMatchObject({ models: null, budgetNanos: '5000000000' })
    expect(await json('key', 'list')).toHaveLength(1)
  })

  test('an invitation is made, listed without its secret, and revoked', async () => {
    const made = await json('invite', 'add', 'Ada@Example.com', '--credit', '2.50')
    expect(made).toMatchObject({ email: 'ada@example.com', roles: ['client'], creditNanos: '2500000000' })
    expect(made.link).toStartWith('https://hub.example/sign-up?invitation=ghi_')
    const letters = await rows((db) => db.query.select().from(db.tables.mails))
    expect(letters).toMatchObject([{ recipient: 'ada@example.com', nextAt: expect.any(Number) }])
    const host = await json('invite', 'add', '--role', 'host')
    expect(host).toMatchObject({ email: null, roles: ['host'], creditNanos: '0' })
    expect((await json('invite', 'add')).creditNanos).toBe('5000000000')
    const listed = await run(['invite', 'list'])
    expect(listed.stdout).toContain('whoever has the link')
    expect(listed.stdout).not.toContain('ghi_')
    expect(await run(['invite', 'revoke', made.id])).toMatchObject({ code: 0 })
    expect(await run(['invite', 'revoke', made.id])).toMatchObject({ code: 1 })
    const states = (await json('invite', 'list')).map(({ state }: { state: string }) => state)
    expect(states.toSorted()).toEqual(['open', 'open', 'revoked'])
    expect((await run(['invite', 'add', '--role', 'admin'])).code).toBe(2)
    expect((await run(['invite', 'add', '--credit', 'much'])).code).toBe(2)
  })

  test('what is done on the command line is on record', async () => {
    const { id } = await json('user', 'add', 'ada@example.com')
    expect(await run(['user', 'suspend', 'ada@example.com'])).toMatchObject({ code: 2 })
    await run(['user', 'suspend', 'ada@example.com', '--reason', 'spam'])
    await run(['user', 'reinstate', 'ada@example.com'])
    await run(['user', 'roles', 'ada@example.com', '--role', 'client', '--role', 'host'])
    await run(['setting', 'set', 'clientSignUp', 'open'])
    expect(await json('acts')).toMatchObject([
      { by: null, what: 'setting.change', subject: 'clientSignUp', before: 'invited', after: 'open' },
      { by: null, what: 'user.roles', subject: id, before: ['client'], after: ['client', 'host'] },
      { by: null, what: 'user.reinstate', subject: id },
      { by: null, what: 'user.suspend', subject: id, before: null, after: 'spam' },
    ])
    expect(await json('acts', '--subject', id)).toHaveLength(3)
    expect((await run(['user', 'suspend', 'nobody@example.com', '--reason', 'spam'])).stderr).toContain(
      'Nobody here has the address',
    )
  })

  test('settings are listed, set and set back', async () => {
    await run(['setting', 'set', 'trialCredit', '1.50'])
    await run(['setting', 'set', 'clientCountries', '["US","CA"]'])
    const values = async () =>
      Object.fromEntries(
        (await json('setting', 'list')).map((row: { name: string; value: unknown }) => [row.name, row.value]),
      )
    expect(await values()).toMatchObject({ trialCredit: '1.50', clientCountries: ['US', 'CA'], hostSignUp: 'invited' })
    await run(['setting', 'set', 'clientCountries', 'default'])
    expect((await values()).clientCountries).toEqual(['US'])
    expect(await run(['setting', 'set', 'clientCountries', 'US'])).toMatchObject({ code: 2 })
    expect(await run(['setting', 'set', 'clientCountries', '["usa"]'])).toMatchObject({ code: 1 })
    expect((await run(['setting', 'set', 'clientCountry', '["US"]'])).stderr).toContain('Did you mean clientCountries?')
  })
})
