// What Docker says while it downloads, and what its owner is told, from a stand-in for its API: nothing is downloaded here.
import { afterEach, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemEnv } from '../../../sdk/env.ts'
import { Docker } from './docker.ts'
import { dockerAt, dockerHere } from './docker-here.ts'
import { inContainer } from './in-container.ts'
import { describeStep } from './phase.ts'
import { release } from './release.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

const never = new AbortController().signal

function world(pull: object[], info: object = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'api-'))
  const socket = join(folder, 'docker.sock')
  const asked: string[] = []
  let here = false
  const server = Bun.serve({
    unix: socket,
    fetch(request) {
      const url = new URL(request.url)
      asked.push(`${request.method} ${decodeURIComponent(url.pathname + url.search)}`)
      if (url.pathname === '/info')
        return Response.json({ DockerRootDir: folder, Runtimes: { runc: {}, nvidia: {} }, ...info })
      if (url.pathname === '/images/create') {
        here = !pull.some((line) => 'error' in line)
        return new Response(pull.map((line) => `${JSON.stringify(line)}\r\n`).join(''))
      }
      if (/^\/images\/.*\/json$/.test(url.pathname))
        return here ? Response.json({}) : new Response('{}', { status: 404 })
      if (url.pathname === '/containers/create')
        return Response.json(
          { message: 'could not select device driver "nvidia" with capabilities: [[gpu]]' },
          { status: 500 },
        )
      return Response.json([])
    },
  })
  cleanups.push(
    () => rmSync(folder, { recursive: true, force: true }),
    () => server.stop(true),
  )
  const docker = new Docker(systemEnv, socket)
  let counted = 0
  const runner = inContainer({
    count: (bytes) => void (counted += bytes),
    ...{ env: systemEnv, docker, machine: 'machine_00000000000000stand-in', engine: 0, image: release.image },
    ...{ args: [], gpus: ['GPU-1'], gpusBy: 'nvidia', weights: folder, memoryBytes: 1e9, cores: 1 },
  })
  cleanups.push(() => runner.clear())
  return { docker, runner, asked, folder, socket, counted: () => counted }
}

test('the image is downloaded by its digest, and how far that is is told', async () => {
  const layer = (id: string, current: number, status = 'Downloading') => ({
    id,
    status,
    progressDetail: { current, total: 5e9 },
  })
  const { runner, asked, counted } = world([
    { status: 'Pulling from vllm/vllm-openai', id: release.image.split('@')[1] },
    ...[layer('a', 0.9e9), layer('b', 0.9e9), layer('a', 3.6e9), layer('a', 1e9, 'Extracting'), layer('b', 4.5e9)],
  ])
  const steps: string[] = []
  await runner.prepare((step) => void steps.push(describeStep(step)), never)
  expect(steps).toEqual([
    ...['pulling (0 %)', 'pulling (10 %)', 'pulling (20 %)', 'pulling (50 %)', 'pulling (50 %)', 'pulling (90 %)'],
  ])
  expect(asked).toContain(`POST /images/create?fromImage=vllm/vllm-openai&tag=${release.image.split('@')[1]}`)
  expect(counted()).toBe(8.1e9)
  asked.length = 0
  await runner.prepare(() => {}, never)
  expect(asked.some((line) => line.startsWith('POST'))).toBe(false)
})

test('a download that fails says what Docker says', async () => {
  const { runner } = world([{ error: 'toomanyrequests: You have reached your pull rate limit.' }])
  const error = await runner.prepare(() => {}, never).catch((thrown: unknown) => thrown)
  expect(String(error)).toContain('Docker cannot download the engine: toomanyrequests')
})

test('a container that cannot have its GPU says what to install', async () => {
  const { runner } = world([])
  const error = await runner.begin(() => {}).catch((thrown: unknown) => thrown)
  expect(String(error)).toContain('nvidia-ctk runtime configure')
})

test('only a Docker of this machine is used, and one that cannot hand out GPUs is not', async () => {
  const { socket } = world([])
  expect(dockerAt(systemEnv, { DOCKER_HOST: 'tcp://10.0.0.1:2375' })).toBeNull()
  expect(dockerAt(systemEnv, { DOCKER_HOST: `unix://${socket}` })?.socket).toBe(socket)
  expect(await dockerHere(systemEnv, { DOCKER_HOST: `unix://${socket}` })).toMatchObject({ gpusBy: 'nvidia' })
  const bare = world([], { Runtimes: { runc: {} } })
  expect(await dockerHere(systemEnv, { DOCKER_HOST: `unix://${bare.socket}` })).toMatchObject({
    why: expect.stringContaining('NVIDIA container toolkit'),
  })
  expect(await dockerHere(systemEnv, { DOCKER_HOST: 'unix:///nonexistent.sock' })).toEqual({
    why: 'Docker is not here',
  })
})
