// What hub and host agree on when a host's line is measured.
import { type Static, Type } from '@sinclair/typebox'

/** Bytes of one transfer at most. */
export const mostTransferBytes = 8 * 1024 * 1024

/** What the hub timed, and when it wants the next measurement. */
export const Probed = Type.Object({
  downMbits: Type.Number({ minimum: 0, description: 'Mbit/s to the host: so much at least.' }),
  upMbits: Type.Number({ minimum: 0, description: 'Mbit/s from the host: so much at least.' }),
  againSeconds: Type.Number({ minimum: 0, maximum: 7 * 86_400, description: 'The next one is welcome after so long.' }),
})
export type Probed = Static<typeof Probed>
