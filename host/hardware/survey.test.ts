import { afterAll, expect, test } from 'bun:test'
import { systemEnv } from '../../sdk/env.ts'
import { cardNames } from './cards.ts'
import { findPlace } from './place.ts'
import { hardwareOf, survey } from './survey.ts'
import { fakeMachine, machines, removeMachines } from './testing/machines.ts'

afterAll(removeMachines)

const options = { env: systemEnv, access: { reader: ['false'], ...fakeMachine(machines['no GPU']) }, variables: {} }
const anywhere = { ...options, folder: '/nonexistent/home/.gpuhost' }

test.each(['RTX 4090', 'rtx4090', 'NVIDIA GeForce RTX 4090'])('a card simulated as %s says so', async (simulate) => {
  const found = await survey({ ...anywhere, simulate })
  expect(hardwareOf(found)).toMatchObject({
    gpus: [{ name: 'NVIDIA RTX 4090', memoryBytes: 24_564 * 2 ** 20, computeCapability: '8.9' }],
    simulated: true,
  })
})

test('a card nobody knows is refused with those there are', async () => {
  const error = await survey({ ...anywhere, simulate: 'RTX 9999' }).catch((problem: unknown) => problem)
  expect(error).toMatchObject({ exitCode: 2 })
  for (const name of cardNames) expect(String(error)).toContain(name)
})

test('a machine without a GPU is measured, and the disk of a folder that is yet to come', async () => {
  const found = await survey(anywhere)
  expect(found).toMatchObject({ cards: [], simulated: false, disk: { path: '/nonexistent/home/.gpuhost' } })
  expect(found.disk.totalBytes).toBeGreaterThan(0)
  expect(found.memory.totalBytes).toBeGreaterThan(2 ** 28)
  expect(hardwareOf(found)).toMatchObject({ gpus: [], driver: null })
})

const systemd = { '/proc/1/comm': 'systemd\n' }
const overlay = { '/proc/self/mountinfo': '531 400 0:61 / / rw,relatime - overlay overlay rw' }
test.each([
  ['a machine', {}, systemd, { kind: 'machine', container: false, systemd: true }],
  ['Docker', {}, { '/.dockerenv': '' }, { kind: 'container', container: true, systemd: false }],
  ['a container without marks but its layers', {}, overlay, { kind: 'container', container: true, systemd: false }],
  ['Vast.ai', { VAST_CONTAINERLABEL: 'C.1' }, overlay, { kind: 'vast', container: true, systemd: false }],
  [
    'Vast.ai over ssh, where only the first process has the variables',
    {},
    { ...overlay, '/proc/1/environ': 'PATH=/bin\0CONTAINER_ID=12\0CONTAINER_API_KEY=secret\0' },
    { kind: 'vast', container: true, systemd: false },
  ],
  [
    'a virtual machine at Vast.ai',
    { VAST_CONTAINERLABEL: 'C.1' },
    systemd,
    { kind: 'vast', container: false, systemd: true },
  ],
  ['RunPod', { RUNPOD_POD_ID: 'x' }, overlay, { kind: 'runpod', container: true, systemd: false }],
  [
    'Kubernetes',
    { KUBERNETES_SERVICE_HOST: '10.0.0.1' },
    overlay,
    { kind: 'kubernetes', container: true, systemd: false },
  ],
  [
    'WSL2',
    {},
    { '/proc/version': 'Linux version 6.6.87.2-microsoft-standard-WSL2' },
    { kind: 'wsl2', container: false, systemd: false },
  ],
])('%s is recognised', (_, variables: Record<string, string>, files: Record<string, string>, place) => {
  expect(findPlace(variables, (path) => files[path])).toEqual(place as never)
})
