// The queries of paged lists as Elysia reads them: it makes numbers of an address's text only where the schema is its own.
import { t } from 'elysia'
import * as api from '../../sdk/api.ts'

const { minimum, maximum, description } = api.PageQuery.properties.limit
const limit = t.Optional(t.Integer({ minimum, maximum, description }))

export const PageQuery = t.Object({ ...api.PageQuery.properties, limit })
export const UsageQuery = t.Object({ ...api.UsageQuery.properties, limit })
