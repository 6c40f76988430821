// `gpuhost update`: what the owner asks of updates by hand.
import { askControl } from '../daemon/control.ts'
import { confirm, currentVersion } from '../update/program.ts'
import { install, look, type Updating } from '../update/update.ts'

export interface UpdateReport {
  /** What runs from now on. */
  version: string
  /** What the hub has on offer. */
  offered: string
  /** `here`: the newest, or the pinned one; `there`: it could be installed; `installed`: it was, just now. */
  state: 'here' | 'there' | 'installed'
  why: string
}

/** @throws HostError */
export async function update(updating: Updating, only: 'check' | 'install'): Promise<UpdateReport> {
  const { env, home, program } = updating
  const found = await look(updating, true)
  const report = { version: currentVersion(program), offered: found.version }
  if (found.kind === 'stay') return { ...report, state: 'here', why: found.why }
  if (only === 'check') return { ...report, state: 'there', why: 'gpuhost update installs it' }
  await install(updating, found)
  const running = await askControl(env, home.controlPath, 'renewal')
  // Nobody runs who could show that it works; the self-test has to do.
  if (!running) confirm(program)
  const why = running ? 'the agent starts it as soon as what runs has ended' : 'the next start uses it'
  return { version: found.version, offered: found.version, state: 'installed', why }
}
