import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { REVISION, startHuggingFace } from '../../host/weights/testing/hub.ts'
import { tinyBase, tinyQwen } from '../../hub/catalog/testing/models.ts'
import { runProgram } from '../command.ts'
import { modelCommands } from './model.ts'

test('gpuhub model import says what comes and what is against it, and what comes can be enabled', async () => {
  const data = mkdtempSync(join(tmpdir(), 'gpuhub-model-'))
  const site = startHuggingFace([tinyQwen(), tinyBase({ license: 'odd-1' })])
  const run = async (...argv: string[]) => {
    let stdout = ''
    let stderr = ''
    const code = await runProgram(
      { name: 'gpuhub', summary: '', commands: [modelCommands] },
      {
        ...{ argv: ['model', ...argv, '--data', data], env: { HF_ENDPOINT: site.url }, interactive: false },
        stdin: async () => '',
        stdout: (text) => (stdout += text),
        stderr: (text) => (stderr += text),
      },
    )
    return { code, stdout, stderr }
  }
  try {
    const refused = await run('import', 'acme/Tiny-Qwen')
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('LicenseRef-odd-1 (acme/Tiny-Base)')])
    const looked = await run('import', 'acme/Tiny-Qwen', '--check')
    expect([looked.code, looked.stdout]).toEqual([1, expect.stringMatching(/^against +Nobody here has read/m)])
    const brought = await run('import', 'acme/Tiny-Qwen', '--licence-read', '--revision', REVISION, '--json')
    expect(JSON.parse(brought.stdout)).toMatchObject({
      ...{ id: 'acme/Tiny-Qwen:bf16', enabled: false, licenceClass: 'B', revision: REVISION, against: [] },
    })
    expect((await run('enable', 'acme/Tiny-Qwen')).stdout).toContain('acme/Tiny-Qwen:bf16 is on.')
    const listed = JSON.parse((await run('list', '--json')).stdout) as { id: string; enabled: boolean }[]
    expect(listed.find(({ id }) => id === 'acme/Tiny-Qwen:bf16')).toMatchObject({ enabled: true })
  } finally {
    await site.close()
    rmSync(data, { recursive: true, force: true })
  }
})
