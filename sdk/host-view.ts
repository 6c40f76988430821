// `GET /api/v1/hosts/{id}`: how a hub sees one host, for the machine itself. Written for `gpuhost status`.
import { type Static, Type } from '@sinclair/typebox'

export const HostView = Type.Object({
  id: Type.String({ maxLength: 80, description: 'Of the host.' }),
  state: Type.String({ maxLength: 20, description: 'connecting, ready, draining, tripped, quarantined or gone.' }),
  idle: Type.Union([Type.String({ maxLength: 300 }), Type.Null()], {
    description: 'Why it earns nothing just now, in a sentence; null: it does.',
  }),
  requests: Type.Integer({ minimum: 0, description: 'Answered in 24 hours.' }),
  earned: Type.String({ maxLength: 40, description: 'In 24 hours. USD, decimal.' }),
})
export type HostView = Static<typeof HostView>
