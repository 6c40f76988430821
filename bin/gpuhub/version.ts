import { version } from '../../package.json'
import { command } from '../command.ts'
import { commit } from '../commit.macro.ts' with { type: 'macro' }

export const release = { version, commit: commit() }

export const versionCommand = command({
  name: 'version',
  summary: 'Print the version and the commit it was built from.',
  run({ out }) {
    const { version, commit } = release
    out({ name: 'gpuhub', version, commit, bun: Bun.version }, [`gpuhub ${version} (${commit}, Bun ${Bun.version})`])
  },
})
