// Cards `--simulate-gpu` can stand for: memory as the driver reports it (MiB), compute capability as NVIDIA writes it.
import type { Gpu } from '../../sdk/wire/frames.ts'

const cards: [name: string, memoryMib: number, computeCapability: string][] = [
  ['Tesla T4', 15_360, '7.5'],
  ['A10', 23_028, '8.6'],
  ['A100 40GB', 40_960, '8.0'],
  ['A100 80GB', 81_920, '8.0'],
  ['RTX 3060', 12_288, '8.6'],
  ['RTX 3080', 10_240, '8.6'],
  ['RTX 3090', 24_576, '8.6'],
  ['RTX A6000', 49_140, '8.6'],
  ['L4', 23_034, '8.9'],
  ['L40S', 46_068, '8.9'],
  ['RTX 4060 Ti', 16_380, '8.9'],
  ['RTX 4070 Ti', 12_282, '8.9'],
  ['RTX 4080', 16_376, '8.9'],
  ['RTX 4090', 24_564, '8.9'],
  ['RTX 6000 Ada', 49_140, '8.9'],
  ['H100', 81_559, '9.0'],
  ['H200', 143_771, '9.0'],
  ['RTX 5070 Ti', 16_303, '12.0'],
  ['RTX 5080', 16_303, '12.0'],
  ['RTX 5090', 32_607, '12.0'],
]

export const cardNames = cards.map(([name]) => name)

/** The card of that name, however it is capitalised, with or without "NVIDIA GeForce". */
export function cardNamed(wanted: string): Gpu | undefined {
  const plain = (name: string) => name.toLowerCase().replace(/nvidia|geforce|\s/g, '')
  const card = cards.find(([name]) => plain(name) === plain(wanted))
  if (!card) return undefined
  const [name, memoryMib, computeCapability] = card
  return { name: `NVIDIA ${name}`, memoryBytes: memoryMib * 2 ** 20, computeCapability, uuid: null }
}
