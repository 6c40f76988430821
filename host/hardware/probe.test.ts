import { describe, expect, test } from 'bun:test'
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cardNames } from './cards.ts'
import { probe, readCards } from './probe.ts'

/** A program that answers as the real one does; `body` is shell. */
function fakeSmi(body: string): string {
  const path = join(mkdtempSync(join(tmpdir(), 'smi-')), 'nvidia-smi')
  writeFileSync(path, `#!/bin/sh\n${body}\n`)
  chmodSync(path, 0o755)
  return path
}

describe('the hardware report', () => {
  test('has the cards the driver knows', async () => {
    const nvidiaSmi = fakeSmi('echo "GPU-1234, 580.95.05, 24564, 8.9, NVIDIA GeForce RTX 4090"')
    const hardware = await probe({ nvidiaSmi })
    expect(hardware).toMatchObject({
      gpus: [
        {
          name: 'NVIDIA GeForce RTX 4090',
          memoryBytes: 24_564 * 2 ** 20,
          computeCapability: '8.9',
          uuid: 'GPU-1234',
        },
      ],
      driver: '580.95.05',
      simulated: false,
    })
    expect(hardware.cores).toBeGreaterThan(0)
  })

  test('of an old driver that does not know a field has the rest', async () => {
    const nvidiaSmi = fakeSmi(
      'case "$1" in *compute_cap*) echo "Field \\"compute_cap\\" is not a valid field to query." ; exit 2;; esac\n' +
        'echo "GPU-1, 450.80, 8192, Tesla P4"',
    )
    expect(await probe({ nvidiaSmi })).toMatchObject({
      gpus: [{ name: 'Tesla P4', computeCapability: null }],
      driver: '450.80',
    })
  })

  test.each([
    ['no such program', '/nonexistent/nvidia-smi'],
    ['a driver that cannot be reached', fakeSmi('echo "couldn\'t communicate with the NVIDIA driver"; exit 9')],
    ['output that is no table', fakeSmi('echo "hello"; echo; echo ",,,,"')],
  ])('with %s has no cards', async (_, nvidiaSmi) => {
    expect(await probe({ nvidiaSmi })).toMatchObject({ gpus: [], driver: null })
  })

  test('takes what the driver does not know for unknown, and a name with a comma whole', () => {
    expect(
      readCards('[N/A], 580.1, 16384, [Not Supported], Odd, Card\nGPU-2, 580.1, [Unknown Error], 8.6, Sick'),
    ).toEqual({
      gpus: [{ name: 'Odd, Card', memoryBytes: 2 ** 34, computeCapability: null, uuid: null }],
      driver: '580.1',
    })
  })
})

describe('a simulated card', () => {
  test.each(['RTX 4090', 'rtx4090', 'NVIDIA GeForce RTX 4090'])(
    'is found as %s, and says that it is one',
    async (name) => {
      expect(await probe({ simulate: name })).toMatchObject({
        gpus: [{ name: 'NVIDIA RTX 4090', memoryBytes: 24_564 * 2 ** 20, computeCapability: '8.9' }],
        simulated: true,
      })
    },
  )

  test('nobody knows is refused with those there are', async () => {
    const error = await probe({ simulate: 'RTX 9999' }).catch((problem: unknown) => problem)
    expect(error).toMatchObject({ exitCode: 2 })
    for (const name of cardNames) expect(String(error)).toContain(name)
  })
})
