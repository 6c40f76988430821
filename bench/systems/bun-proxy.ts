// A plain proxy as one would write it in Bun: the key's hash, the body parsed and checked, passed on with fetch, the
// answer streamed back. No hosts, no failover, no metering, no money.
import { readFileSync } from 'node:fs'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { ChatRequest } from '../../sdk/openai.ts'

const [port = '0', enginePort = '0', keysFile = ''] = process.argv.slice(2)
const hash = (key: string) => Bun.CryptoHasher.hash('sha256', key, 'hex')
const keys = new Set(readFileSync(keysFile, 'utf8').split('\n').map(hash))
const check = TypeCompiler.Compile(ChatRequest)
const refused = (status: number, message: string) => Response.json({ error: { message } }, { status })

Bun.serve({
  port: Number(port),
  hostname: '127.0.0.1',
  idleTimeout: 255,
  async fetch(request) {
    const key = request.headers.get('authorization')?.slice(7) ?? ''
    if (!keys.has(hash(key))) return refused(401, 'unknown key')
    const body = await request.text()
    if (!check.Check(JSON.parse(body))) return refused(400, 'malformed')
    const answer = await fetch(`http://127.0.0.1:${enginePort}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      signal: request.signal,
    })
    return new Response(answer.body, { status: answer.status, headers: answer.headers })
  },
})
