// Routes that machines ask, not browsers: every answer has its request id, is kept by nobody, and errors are as anywhere.
import { Elysia } from 'elysia'
import { newId } from '../../sdk/env.ts'
import { refusal } from './openai.ts'
import { known, type Platform } from './platform.ts'

export function hostRoutes<const Prefix extends string>(hub: Platform, prefix: Prefix) {
  return new Elysia({ prefix, normalize: true })
    .derive(({ set }) => {
      const requestId = newId(hub.env, 'req')
      Object.assign(set.headers, { 'x-request-id': requestId, 'request-id': requestId, 'cache-control': 'no-store' })
      return { requestId }
    })
    .onError(({ code, error, request, set }) => {
      if (code === 'NOT_FOUND') return undefined
      const requestId = String(set.headers['x-request-id'] ?? newId(hub.env, 'req'))
      return refusal(hub, request, requestId, known(code, error))
    })
}
