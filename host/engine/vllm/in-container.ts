// vLLM in a container: where a machine has Docker and NVIDIA's toolkit for it.
import { chownSync } from 'node:fs'
import { type Env, newId } from '../../../sdk/env.ts'
import { HostError, printable, reason } from '../../errors.ts'
import { roomAt } from '../../hardware/survey.ts'
import { causeOf } from './cause.ts'
import { containerFor, ENGINE_LABEL, MACHINE_LABEL, type Plan, SOCKET_NAME } from './container.ts'
import type { Docker } from './docker.ts'
import { release } from './release.ts'
import { eachLine, type Runner, type Running } from './runner.ts'
import { shareWeights } from './weights.ts'
import { socketFolder } from './sockets.ts'

export interface ContainerOptions extends Omit<Plan, 'name' | 'sockets' | 'user'> {
  env: Env
  docker: Docker
  /** Told of the bytes of the image that came. */
  count?: ((bytes: number) => void) | undefined
}

/** The image's own user without rights. */
const IMAGE_USER = 2000

export function inContainer(options: ContainerOptions): Runner {
  const { env, docker, machine, engine, image } = options
  const folder = socketFolder(machine, engine)
  const mine = { [MACHINE_LABEL]: machine, [ENGINE_LABEL]: String(engine) }
  return {
    socket: `${folder.path}/${SOCKET_NAME}`,

    async prepare(tell, signal) {
      const info = await docker.info()
      if (await docker.hasImage(image)) return
      const room = roomAt(info.rootFolder)
      const needed = release.imageBytes * UNPACKED + KEPT_FREE_BYTES
      if (room.totalBytes > 0 && room.freeBytes < needed)
        throw new HostError(
          `The engine takes ${gb(needed)} in ${info.rootFolder}, which has ${gb(room.freeBytes)} free. Make room ` +
            '(docker system df shows what Docker holds), or move Docker to a larger disk (data-root in /etc/docker/daemon.json).',
          3,
        )
      tell({ phase: 'pulling', percent: 0 })
      const share = (bytes: number) => Math.min(99, Math.floor((100 * bytes) / release.imageBytes))
      let before = 0
      const came = (bytes: number) => {
        options.count?.(bytes - before)
        before = bytes
        tell({ phase: 'pulling', percent: share(bytes) })
      }
      await docker.pull(image, came, signal)
      if (!(await docker.hasImage(image))) throw new HostError(`Docker has downloaded another image than ${image}.`)
    },

    async clear() {
      // Docker that is gone runs nothing any more.
      const left = await docker.labelled(mine).catch(() => [])
      await Promise.all(left.map((id) => docker.remove(id)))
      folder.remove()
    },

    async begin(line) {
      const { rootless } = await docker.info()
      folder.make()
      shareWeights(options.weights)
      const uid = process.getuid?.() ?? 0
      if (uid === 0 && !rootless) chownSync(folder.path, IMAGE_USER, 0)
      const name = `gpuhost-${machine.slice(-8)}-${engine}-${newId(env, 'c').slice(-6)}`
      const user = rootless ? '0:0' : `${uid === 0 ? IMAGE_USER : uid}:0`
      const id = await docker
        .create(name, containerFor({ ...options, name, user, sockets: folder.path }))
        .catch(explained)
      return run(docker, id, line)
    },
  }
}

/** Layers are compressed on their way. */
const UNPACKED = 2.5
const KEPT_FREE_BYTES = 10e9

async function run(docker: Docker, id: string, line: (text: string) => void): Promise<Running> {
  const over = new AbortController()
  const gone = () => docker.remove(id).finally(() => over.abort())
  try {
    await docker.start(id)
  } catch (error) {
    await gone().catch(() => {})
    return explained(error)
  }
  const logged = eachLine(docker.logs(id, over.signal), line).catch(() => {})
  return {
    // What it said last is heard before its end is told.
    ended: docker.wait(id, over.signal).then((end) => logged.then(() => end)),
    stop: () => void docker.signal(id, 'SIGTERM').catch(() => {}),
    kill: gone,
  }
}

/** Docker's own words mean something, too. */
function explained(error: unknown): never {
  const words = reason(error)
  const cause = causeOf({ code: 125, outOfMemory: false, log: [words] })
  throw new HostError(
    cause.code === 'unknown' ? printable(words) : `${cause.words} (${printable(words).slice(0, 200)})`,
  )
}

/** Ends and removes every container of this installation, whichever run left it. */
export async function removeContainers(docker: Docker, machine: string): Promise<void> {
  const left = await docker.labelled({ [MACHINE_LABEL]: machine }).catch(() => [])
  await Promise.all(left.map((id) => docker.remove(id)))
}

const gb = (bytes: number) => `${(bytes / 1e9).toFixed(0)} GB`
