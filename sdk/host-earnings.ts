// `GET /api/v1/hosts/earnings`: what the machines of an owner were paid, for one of them. Written for `gpuhost earnings`.
import { type Static, Type } from '@sinclair/typebox'

const count = (description: string) => Type.Integer({ minimum: 0, description })

/** Longest span one question may be about, milliseconds. */
export const mostEarningsMs = 400 * 24 * 60 * 60_000

export const HostEarnings = Type.Object({
  from: Type.String({ maxLength: 40, description: 'First moment counted, ISO 8601: a full hour, UTC.' }),
  to: Type.String({ maxLength: 40, description: 'First moment not counted, ISO 8601.' }),
  data: Type.Array(
    Type.Object({
      model: Type.String({ maxLength: 200, description: 'The variant.' }),
      requests: count('Answers it was paid for.'),
      promptTokens: count('Of these.'),
      completionTokens: count('Of these.'),
      earned: Type.String({ maxLength: 40, description: 'USD, decimal, after the platform’s share.' }),
    }),
    { maxItems: 1_000, description: 'By model, those that earned most first.' },
  ),
  earned: Type.String({ maxLength: 40, description: 'All of it. USD, decimal.' }),
  rent: Type.Optional(
    Type.String({
      maxLength: 40,
      description:
        'What the machine cost in that time, by what its owner says an hour costs. USD, decimal. Absent: nothing.',
    }),
  ),
  team: Type.Optional(
    Type.Boolean({ description: 'It is the team’s own now: what it earns is booked, and not paid out.' }),
  ),
})
export type HostEarnings = Static<typeof HostEarnings>
