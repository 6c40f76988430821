// vLLM on the CPU, with the arguments the catalog gives Qwen3 on a GPU.
import { join } from 'node:path'
import { metric, type Place, type Recipe, served } from './recipe.ts'
import { writeSafetensors } from './safetensors.ts'

export function startVllm({ python, port, folder }: Place): Recipe {
  const model = join(folder, 'model')
  writeSafetensors(model)
  const address = ['--host', '127.0.0.1', '--port', String(port)]
  const size = ['--max-model-len', String(served.contextTokens), '--max-num-seqs', String(served.slots)]
  const arithmetic = ['--dtype', 'float32', '--enforce-eager', '--kv-cache-memory-bytes', '256M', '--seed', '1']
  const qwen = ['--enable-auto-tool-choice', '--tool-call-parser', 'hermes', '--reasoning-parser', 'qwen3']
  return {
    // Its own command looks for a package named vllm, which here has another name.
    command: [python, '-m', 'vllm.entrypoints.openai.api_server', '--model', model]
      .concat(['--served-model-name', 'Qwen/Qwen3-8B', '--generation-config', 'vllm'])
      .concat(address, size, arithmetic, qwen),
    env: {
      OMP_NUM_THREADS: '1',
      VLLM_CPU_OMP_THREADS_BIND: 'nobind',
      VLLM_HOST_IP: '127.0.0.1',
      VLLM_CACHE_ROOT: join(folder, 'cache'),
      // Compiling takes longer than all that is computed here.
      TORCHDYNAMO_DISABLE: '1',
      VLLM_NO_USAGE_STATS: '1',
      DO_NOT_TRACK: '1',
      HF_HUB_OFFLINE: '1',
    },
    busy: async (url) =>
      (await metric(url, 'vllm:num_requests_running')) + (await metric(url, 'vllm:num_requests_waiting')),
    made: (url) => metric(url, 'vllm:generation_tokens_total'),
  }
}
