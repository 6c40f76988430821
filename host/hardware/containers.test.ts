import { expect, test } from 'bun:test'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemEnv } from '../../sdk/env.ts'
import { checkContainers, otherContainers } from './containers.ts'

const asks = (...DeviceIDs: string[]) => ({ DeviceRequests: [{ Capabilities: [['gpu']], DeviceIDs }] })
const nvidia = (visible: string) => ({ Runtime: 'nvidia', env: [`NVIDIA_VISIBLE_DEVICES=${visible}`] })

/** Whether it stands in the way of GPU-1, and in strict mode. */
const rows: [what: string, host: { env?: string[]; [key: string]: unknown }, refused: boolean, strict: boolean][] = [
  ['one without a GPU', {}, false, true],
  ['one with every GPU', { DeviceRequests: [{ Driver: 'nvidia', DeviceIDs: null }] }, true, true],
  ['one with the card on offer', asks('GPU-1'), true, true],
  ['one with another card', asks('GPU-2'), false, true],
  ['one with both', asks('GPU-2', 'GPU-1'), true, true],
  ['one with a card by number, which may be any', asks('0'), true, true],
  ['one by CDI', { DeviceRequests: [{ Driver: 'cdi', DeviceIDs: ['nvidia.com/gpu=GPU-1'] }] }, true, true],
  ['one by the runtime, with all', nvidia('all'), true, true],
  ['one by the runtime, with none', nvidia('none'), false, true],
  ['one by the runtime, with another', nvidia('GPU-2'), false, true],
  ['one that was given the device', { Devices: [{ PathOnHost: '/dev/nvidia0' }] }, true, true],
  ['a privileged one that asked for no GPU', { Privileged: true }, false, true],
]

test.each(rows)('%s is judged by what it has', async (_, { env, ...HostConfig }, refused, strict) => {
  const folder = mkdtempSync(join(tmpdir(), 'docker-'))
  const docker = join(folder, 'docker')
  try {
    const ours = { Name: '/gpuhost-1', Config: { Labels: { gpuhost: '1' } }, HostConfig: asks('GPU-1') }
    writeFileSync(`${docker}.json`, JSON.stringify([{ Name: '/comfyui', Config: { Env: env }, HostConfig }, ours]))
    const ids = ['a', 'b'].map((id) => id.repeat(64)).join('\\n')
    writeFileSync(docker, `#!/bin/sh\nif [ "$1" = ps ]; then printf '${ids}\\n'; else cat '${docker}.json'; fi\n`)
    chmodSync(docker, 0o755)
    const found = await otherContainers(systemEnv, docker)
    expect(found.map(({ name }) => name)).toEqual(['comfyui'])
    const check = (isStrict: boolean) => () => checkContainers(found, { gpus: new Set(['GPU-1']), strict: isStrict })
    if (refused) expect(check(false)).toThrow('docker stop comfyui')
    else expect(check(false)).not.toThrow()
    if (strict) expect(check(true)).toThrow('in strict mode no other container may run')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('where nothing runs, or nobody can say, nothing is in the way', () => {
  for (const strict of [false, true]) expect(() => checkContainers([], { gpus: null, strict })).not.toThrow()
})
