// `POST /api/v1/hosts/departure`: the program is about to be taken off a machine. Written for `gpuhost uninstall`.
import { type Static, Type } from '@sinclair/typebox'

export const HostDeparture = Type.Object({
  left: Type.Boolean({ description: 'The hub knew the machine, and does not wait for it any more.' }),
  tokenRevoked: Type.Boolean({
    description: 'The token shown was made for this machine alone, and opens nothing now.',
  }),
})
export type HostDeparture = Static<typeof HostDeparture>
