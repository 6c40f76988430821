import { describe, expect, test } from 'bun:test'
import { command, type Group, runProgram } from './command.ts'
import { Failure } from './failure.ts'
import { table } from './lines.ts'

const greet = command({
  name: 'greet',
  summary: 'Say hello.',
  options: {
    to: { type: 'string', value: 'NAME', help: 'Whom to greet.', env: 'GREET_TO', required: true },
    tone: { type: 'string', value: 'TONE', help: 'How.', choices: ['warm', 'cold'], default: 'warm' },
    times: { type: 'integer', value: 'N', help: 'How often.', default: 1, min: 1, max: 9 },
    tag: { type: 'list', value: 'TAG', help: 'A tag.' },
    loud: { type: 'boolean', help: 'Shout.' },
  },
  run({ options, out, say }) {
    say('on the way')
    out(options, [`hello ${options.to} × ${options.times}`])
  },
})
const fails = (error: Error) =>
  command({
    name: 'fail',
    summary: 'Fail.',
    run() {
      throw error
    },
  })
const add = command({
  name: 'add',
  summary: 'Add a user.',
  positionals: [
    { name: 'email', help: 'Address.' },
    { name: 'name', help: 'Name.', optional: true },
  ] as const,
  run: ({ positionals, out }) => out(positionals, [positionals.email.toUpperCase()]),
})
const program = (failing = fails(new Error('boom'))): Group => ({
  name: 'hub',
  summary: 'A hub.',
  commands: [greet, failing, { name: 'user', summary: 'Users.', commands: [add] }],
})

async function run(argv: string[], env: Record<string, string> = {}, group = program()) {
  let stdout = ''
  let stderr = ''
  const code = await runProgram(group, {
    argv,
    env,
    stdout: (text) => (stdout += text),
    stderr: (text) => (stderr += text),
    stdin: async () => '',
    interactive: false,
  })
  return { code, stdout, stderr }
}

describe('a command line', () => {
  test('prints lines for a person, and what is said on the way goes to stderr', async () => {
    expect(await run(['greet', '--to', 'ada', '--times=2'])).toEqual({
      code: 0,
      stdout: 'hello ada × 2\n',
      stderr: 'on the way\n',
    })
  })

  test('prints one JSON document with --json', async () => {
    const { stdout } = await run(['greet', '--json', '--to', 'ada', '--tag', 'a', '--tag', 'b', '--loud'])
    expect(JSON.parse(stdout)).toEqual({ to: 'ada', tone: 'warm', times: 1, tag: ['a', 'b'], loud: true })
  })

  test('takes a flag before the environment before the default', async () => {
    const env = { GREET_TO: 'grace' }
    expect((await run(['greet'], env)).stdout).toContain('grace')
    expect((await run(['greet', '--to', 'ada'], env)).stdout).toContain('ada')
  })

  test('runs nested commands with positionals', async () => {
    expect((await run(['user', 'add', 'ada@example.org'])).stdout).toBe('ADA@EXAMPLE.ORG\n')
  })

  test.each([
    [['greet', '--too', 'ada'], 'does not know --too', 'Did you mean --to?'],
    [['greet', '-t', 'ada'], 'does not know -t', 'hub greet --help'],
    [['greet', '--constructor', 'x'], 'does not know --constructor', '--help'],
    [['greet', '--to'], '--to needs a value', '--help'],
    [['greet', '--to', '--loud'], '--to needs a value', '--help'],
    [['greet'], '--to NAME is missing. GREET_TO may hold it', '--help'],
    [['greet', '--to', 'a', '--to', 'b'], '--to is given twice', '--help'],
    [['greet', '--to', 'a', '--loud=yes'], '--loud is a switch', '--help'],
    [['greet', '--to', 'a', '--times', '10'], 'from 1 to 9, not "10"', '--help'],
    [['greet', '--to', 'a', '--times', '1e0'], 'from 1 to 9', '--help'],
    [['greet', '--to', 'a', '--tone', 'hot'], 'one of warm, cold, not "hot"', '--help'],
    [['greet', '--to', 'a', 'stray'], 'does not take "stray"', '--help'],
    [['user', 'add'], 'needs EMAIL', 'hub user add --help'],
    [['user', 'ad'], '"ad" is not a command of hub user', 'Did you mean add?'],
    [['gret'], '"gret" is not a command of hub', 'Did you mean greet?'],
  ])('answers %j with exit code 2, what is wrong and where to look', async (argv, wrong, hint) => {
    const { code, stdout, stderr } = await run(argv)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(wrong)
    expect(stderr).toContain(hint)
  })

  test('does not repeat a long stray word, which may be a secret', async () => {
    const secret = 'gpuhost_token_abcdefghijklmnopqrstuvwxyz'
    expect((await run(['greet', '--to', 'a', secret])).stderr).not.toContain(secret)
  })

  test('explains the program without a command, and a command before its faults', async () => {
    expect(await run([])).toMatchObject({ code: 2, stdout: '' })
    const overall = await run(['--help'])
    expect(overall).toMatchObject({ code: 0, stderr: '' })
    expect(overall.stdout).toContain('greet')
    expect(overall.stdout).toContain('Users. (add)')
    const one = await run(['greet', '--nonsense', '--help'])
    expect(one.code).toBe(0)
    expect(one.stdout).toContain('--times N')
    expect(one.stdout).toContain('[default 1]')
    expect(one.stdout).toContain('Usage: hub greet [OPTIONS]')
  })

  test.each([
    [new Failure('No such key.', 1, 'See the list.'), 1, 'No such key.\nSee the list.\n'],
    [new Failure('No GPU here.', 3), 3, 'No GPU here.\n'],
    [Object.assign(new Error('From elsewhere.'), { exitCode: 2 }), 2, 'From elsewhere.\n'],
  ])('shows %s as its sentence', async (error, code, stderr) => {
    expect(await run(['fail'], {}, program(fails(error)))).toEqual({ code: code as 1, stdout: '', stderr })
  })

  test('calls any other error a bug and shows its stack', async () => {
    const { code, stderr } = await run(['fail'])
    expect(code).toBe(1)
    expect(stderr).toContain('bug')
    expect(stderr).toContain('boom')
  })
})

test('a table aligns its columns, and says what to do when it is empty', () => {
  const header = ['name', 'tokens']
  expect(
    table({
      header,
      rows: [
        ['ada', '7'],
        ['grace', '1200'],
      ],
      right: [1],
      empty: '',
    }),
  ).toEqual(['NAME   TOKENS', 'ada         7', 'grace    1200'])
  expect(table({ header, rows: [], empty: 'No users yet. Add one: hub user add' })).toEqual([
    'No users yet. Add one: hub user add',
  ])
})
