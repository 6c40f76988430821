import { PROTOCOL } from '../../sdk/wire/frames.ts'

export interface Version {
  version: string
  protocol: number
  bun: string
}

export function version(program: string): Version {
  return { version: program, protocol: PROTOCOL, bun: Bun.version }
}
