// `GET /api/v1/hosts/{id}`: how a hub sees one host, for the machine itself. Written for `gpuhost status`.
import { type Static, Type } from '@sinclair/typebox'

const measured = (description: string) => Type.Union([Type.Number({ minimum: 0 }), Type.Null()], { description })

export const HostNetwork = Type.Object({
  state: Type.String({
    maxLength: 20,
    description: 'ok; warned: below the minimum, and still given requests; below: given none.',
  }),
  since: Type.String({ maxLength: 40, description: 'Of its state, ISO 8601.' }),
  downMbits: measured('Mbit/s to the host, so much at least; null: not measured.'),
  upMbits: measured('Mbit/s from the host, so much at least; null: not measured.'),
  roundTripMs: measured('Median of the last minutes, milliseconds; null: not measured.'),
  linkLosses: Type.Integer({ minimum: 0, description: 'Links lost within an hour.' }),
  least: Type.Object({
    downMbits: Type.Number({ description: 'Mbit/s.' }),
    upMbits: Type.Number({ description: 'Mbit/s.' }),
    roundTripMs: Type.Number({ description: 'At most, milliseconds.' }),
    linkLosses: Type.Number({ description: 'Fewer, within an hour.' }),
  }),
  words: Type.String({ maxLength: 600, description: 'What is wrong and what to do, in sentences; empty: nothing is.' }),
})
export type HostNetwork = Static<typeof HostNetwork>

export const HostView = Type.Object({
  id: Type.String({ maxLength: 80, description: 'Of the host.' }),
  state: Type.String({ maxLength: 20, description: 'connecting, ready, draining, tripped, quarantined or gone.' }),
  idle: Type.Union([Type.String({ maxLength: 300 }), Type.Null()], {
    description: 'Why it earns nothing just now, in a sentence; null: it does.',
  }),
  network: Type.Optional(
    Type.Union([HostNetwork, Type.Null()], {
      description:
        'Its connection, as the hub measures it all the time; null: nothing is known yet. Absent: an older hub.',
    }),
  ),
  requests: Type.Integer({ minimum: 0, description: 'Answered in 24 hours.' }),
  earned: Type.String({ maxLength: 40, description: 'In 24 hours. USD, decimal.' }),
})
export type HostView = Static<typeof HostView>
