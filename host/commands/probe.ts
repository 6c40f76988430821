// `gpuhost probe`: what this machine is made of, for a person.
import type { Card } from '../hardware/card.ts'
import type { PlaceKind } from '../hardware/place.ts'
import type { Survey } from '../hardware/survey.ts'

const PLACES: Record<PlaceKind, string> = {
  machine: 'a machine of its own',
  container: 'a container',
  vast: 'a Vast.ai instance',
  runpod: 'a RunPod pod',
  salad: 'a Salad container',
  kubernetes: 'a Kubernetes pod',
  wsl2: 'Linux on Windows (WSL2), which is experimental',
}

/** One fact per line: what it is, and how it stands. */
export function describeSurvey(found: Survey): [fact: string, value: string][] {
  const { driver, cards, cpu, memory, disk, system, place } = found
  const cuda = driver.cuda === null ? '' : `, CUDA ${driver.cuda}`
  return [
    ...cards.map((card): [string, string] => ['GPU', describeCard(card)]),
    ...(cards.length === 0 ? [['GPU', driver.trouble ?? 'none found'] as [string, string]] : []),
    ...(driver.version === null ? [] : [['driver', `${driver.version}${cuda}`] as [string, string]]),
    ['CPU', `${cpu.name}, ${cpu.cores} cores`],
    ['memory', gib(memory.totalBytes)],
    ['disk', `${gb(disk.freeBytes)} free of ${gb(disk.totalBytes)} at ${disk.path}`],
    ['system', `${system.os}, ${system.arch}`],
    ['place', PLACES[place.kind]],
  ]
}

export function describeCard(card: Card): string {
  if (card.trouble !== null) return `${card.name}: ${card.trouble}`
  const { generation, width } = card.pcie
  return [
    `${card.name}, ${gib(card.memoryBytes)}${card.freeBytes === null ? '' : ` (${gib(card.freeBytes)} free)`}`,
    ...(card.computeCapability === null ? [] : [`compute capability ${card.computeCapability}`]),
    ...(generation === null || width === null ? [] : [`PCIe ${generation} ×${width}`]),
    ...(card.powerWatts.limit === null ? [] : [`${card.powerWatts.limit} W`]),
    ...(card.processes === null || card.processes.length === 0
      ? []
      : [`${card.processes.length} other programs on it`]),
    ...(card.uuid === null ? [] : [card.uuid]),
  ].join(', ')
}

export const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`
/** Disks and downloads are sold in powers of ten. */
export const gb = (bytes: number) => `${(bytes / 1e9).toFixed(bytes < 1e10 ? 1 : 0)} GB`
