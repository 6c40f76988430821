// Other LLM gateways, from their own registries. They are fetched once into .cache and stay there.
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { MODEL } from '../world.ts'
import { type Bench, contestant, type System, writeConfig } from './system.ts'

/** 1.15.2 streams only with an older server adapter than the newest its manifest allows. */
const PORTKEY = { gateway: '1.15.2', '@hono/node-server': '1.13.8' }
const LITELLM = '1.108.7'
const BIFROST = 'github.com/maximhq/bifrost/transports/bifrost-http@latest'
const FETCH_MS = 10 * 60_000

export const portkey: System = {
  name: `Portkey ${PORTKEY.gateway}`,
  async start(bench) {
    const folder = join(bench.peers, 'portkey')
    const program = join(folder, 'node_modules', '@portkey-ai', 'gateway', 'build', 'start-server.js')
    const node = Bun.which('node')
    if (!node) return { absent: 'needs Node' }
    if (!existsSync(program)) {
      mkdirSync(folder, { recursive: true })
      const manifest = {
        private: true,
        dependencies: { '@portkey-ai/gateway': PORTKEY.gateway },
        overrides: { '@hono/node-server': PORTKEY['@hono/node-server'] },
      }
      writeConfig(folder, 'package.json', JSON.stringify(manifest))
      const why = await fetched(bench, ['npm', 'install', '--no-audit', '--no-fund', '--prefix', folder])
      if (why) return { absent: why }
    }
    const started = await contestant(bench, 'portkey', (port) => [node, program, `--port=${port}`, '--headless'])
    const headers = {
      'x-portkey-provider': 'openai',
      'x-portkey-custom-host': `http://127.0.0.1:${bench.enginePort}/v1`,
    }
    return { ...started, headers, slow: true }
  },
}

export const litellm: System = {
  name: `LiteLLM ${LITELLM}`,
  async start(bench) {
    const folder = join(bench.peers, 'litellm')
    const program = join(folder, 'bin', 'litellm')
    if (!existsSync(program)) {
      const venv = await fetched(bench, ['python3', '-m', 'venv', folder])
      const why =
        venv ?? (await fetched(bench, [join(folder, 'bin', 'pip'), 'install', '-q', `litellm[proxy]==${LITELLM}`]))
      if (why) return { absent: why }
    }
    const command = (port: number, own: string) => {
      const config = `model_list:
  - model_name: ${MODEL}
    litellm_params:
      model: openai/${MODEL}
      api_base: http://127.0.0.1:${bench.enginePort}/v1
      api_key: none
`
      return [
        program,
        '--config',
        writeConfig(own, 'config.yaml', config),
        '--port',
        String(port),
        '--host',
        '127.0.0.1',
      ]
    }
    const env = {
      LITELLM_LOG: 'ERROR',
      LITELLM_TELEMETRY: 'False',
      LITELLM_LOCAL_MODEL_COST_MAP: 'True',
      LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY: 'true',
    }
    return { ...(await contestant(bench, 'litellm', command, { env, withinMs: 120_000 })), slow: true }
  },
}

export const bifrost: System = {
  name: 'Bifrost',
  async start(bench) {
    const program = join(bench.peers, 'bifrost', 'bifrost-http')
    if (!existsSync(program)) {
      if (!Bun.which('go')) return { absent: 'needs Go' }
      const why = await fetched(bench, ['env', `GOBIN=${join(bench.peers, 'bifrost')}`, 'go', 'install', BIFROST])
      if (why) return { absent: why }
    }
    const started = await contestant(bench, 'bifrost', (port, folder) => {
      const network = { base_url: `http://127.0.0.1:${bench.enginePort}` }
      const keys = [{ value: 'none', models: [MODEL], weight: 1 }]
      writeConfig(folder, 'config.json', JSON.stringify({ providers: { openai: { keys, network_config: network } } }))
      return [program, '-port', String(port), '-app-dir', folder]
    })
    return { ...started, slow: true }
  },
}

/** Why it could not be fetched; null: it is here now. */
async function fetched({ fetchPeers, peers }: Bench, words: string[]): Promise<string | null> {
  if (!fetchPeers) return 'not fetched (run once without --quick)'
  mkdirSync(peers, { recursive: true })
  const child = Bun.spawn(words, { stdout: 'ignore', stderr: 'pipe', timeout: FETCH_MS })
  const said = await new Response(child.stderr).text()
  const last = said.trim().split('\n').at(-1)?.slice(0, 160) ?? ''
  return (await child.exited) === 0 ? null : `its registry does not give it: ${last}`
}
