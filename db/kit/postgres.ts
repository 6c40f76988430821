// The schema as drizzle-kit wants it: one exported constant a table. Used by bin/migrations.ts only.
import { schema } from '../schema.ts'

export const {
  users,
  keys,
  hostTokens,
  acknowledgements,
  hubs,
  hosts,
  links,
  offers,
  accounts,
  postings,
  entries,
  grants,
  requests,
  limits,
  onces,
} = schema('postgres')
