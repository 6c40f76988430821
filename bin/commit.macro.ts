// Runs while bundling: which sources a program was built from.
export function commit(): string {
  const git = Bun.which('git')
  const run = git ? Bun.spawnSync([git, 'rev-parse', '--short=12', 'HEAD'], { cwd: import.meta.dirname }) : null
  return run?.exitCode === 0 ? run.stdout.toString().trim() : 'unknown'
}
