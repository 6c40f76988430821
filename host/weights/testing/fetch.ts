// The downloader in a process of its own, to be killed.
import { systemEnv } from '../../../sdk/env.ts'
import { Shelf } from '../shelf.ts'

const [endpoint = '', folder = '', rangeBytes] = process.argv.slice(2)
const shelf = new Shelf(systemEnv, folder)
await shelf.fetch({
  source: { env: systemEnv, endpoint },
  variant: { id: 'Qwen/Qwen3-8B:bf16', repo: 'Qwen/Qwen3-8B', revision: null, args: [], minComputeCapability: '8.0' },
  ...{ bytesPerSecond: null, quotaBytes: null, progress: () => {}, signal: new AbortController().signal },
  ...{ room: () => 1e12, rangeBytes: Number(rangeBytes) },
})
