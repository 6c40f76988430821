// `bun run check`: everything that must hold before a change lands, in the order in which it fails fastest.
const steps: [name: string, command: string[]][] = [
  ['types', ['bun', 'run', 'types']],
  ['lint', ['bun', 'run', 'lint']],
  ['format', ['bun', 'run', 'format:check']],
  ['build', ['bun', 'bin/build.ts']],
  ['package', ['bun', 'bin/pack.ts']],
  ['tests, tidy, and the binaries', ['bun', 'bin/test.ts']],
]

for (const [name, command] of steps) {
  console.log(`── ${name}`)
  const [program, ...rest] = command
  const { exitCode } = Bun.spawnSync([program === 'bun' ? process.execPath : (program ?? ''), ...rest], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if (exitCode === 0) continue
  console.error(`\nThe ${name} step failed. Mend it, then run it alone: ${command.join(' ')}`)
  process.exit(1)
}
console.log('\nEverything holds.')

export {}
