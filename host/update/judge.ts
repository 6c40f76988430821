// Whether a manifest that is signed is for this machine, now. Pure; what is refused here never gets near the disk.
import { createHash } from 'node:crypto'
import { type Artifact, compareVersions, type Manifest, ManifestError, type ReleaseTarget } from '../../sdk/release.ts'

export interface Machine {
  /** What runs. */
  version: string
  target: ReleaseTarget
  /** Id of this installation: it decides when its turn in a rollout comes. */
  machine: string
  now: number
  /** Of the latest manifest seen before. */
  seenAt: number
  pin: string | null
  /** When the version on offer was last tried and left again; null: never. */
  failedAt: number | null
  /** The owner asks for it: the rollout is not waited for, nor is a version that failed left alone. */
  asked: boolean
}

export type Verdict = { kind: 'install'; artifact: Artifact } | { kind: 'stay'; why: string }

const DAY_MS = 24 * 60 * 60_000
/** A clock may be off by so much. */
const SKEW_MS = DAY_MS

/** @throws ManifestError for what an honest release never looks like */
export function judge(manifest: Manifest, machine: Machine): Verdict {
  const { version, createdAt, expiresAt, rolloutPercent, artifacts } = manifest
  const { now, seenAt, pin, target, asked, failedAt } = machine
  if (now > expiresAt) throw new ManifestError('its manifest has expired; is the clock of this machine right?')
  if (createdAt > now + SKEW_MS)
    throw new ManifestError('its manifest is from the future; is the clock of this machine right?')
  // A pinned version comes with the manifest of its own time.
  if (pin === null && createdAt < seenAt) throw new ManifestError('its manifest is older than one that was here before')
  if (pin !== null && version !== pin) throw new ManifestError(`it offers ${version} where ${pin} was asked for`)
  const step = compareVersions(version, machine.version)
  if (step < 0 && pin === null) throw new ManifestError(`it offers ${version}, which is older than ${machine.version}`)
  if (step === 0)
    return { kind: 'stay', why: pin === null ? 'this is the newest version' : 'this is the pinned version' }
  const artifact = artifacts.find((each) => each.target === target)
  if (!artifact) throw new ManifestError(`it has nothing for ${target}`)
  if (pin === null && rolloutPercent === 0) return { kind: 'stay', why: `${version} is being held back by its makers` }
  if (pin === null && !asked && placeInRollout(machine.machine, version) >= rolloutPercent)
    return { kind: 'stay', why: `${version} reaches this machine later: it is at ${rolloutPercent} % of all` }
  if (!asked && failedAt !== null && now - failedAt < DAY_MS)
    return { kind: 'stay', why: `${version} did not work here and is tried again after a day` }
  return { kind: 'install', artifact }
}

/** 0 to 99, the same for one machine and version every time, and even over all machines. */
export function placeInRollout(machine: string, version: string): number {
  return createHash('sha256').update(`${machine} ${version}`).digest().readUInt32BE(0) % 100
}
