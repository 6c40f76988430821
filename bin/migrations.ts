// `bun run migrations NAME`: writes the migration that leads from the last one to db/schema.ts, for both dialects.
const [, , name] = Bun.argv
if (!name) {
  console.error('usage: bun run migrations NAME   (a word or two, e.g. add-invitations)')
  process.exit(2)
}
for (const [folder, dialect] of [
  ['sqlite', 'sqlite'],
  ['postgres', 'postgresql'],
] as const) {
  const run = Bun.spawnSync(
    [
      'bun',
      'x',
      'drizzle-kit',
      'generate',
      `--dialect=${dialect}`,
      `--schema=db/kit/${folder}.ts`,
      `--out=db/migrations/${folder}`,
      '--casing=snake_case',
      `--name=${name}`,
    ],
    { stdout: 'inherit', stderr: 'inherit' },
  )
  if (run.exitCode !== 0) process.exit(1)
}

export {}
