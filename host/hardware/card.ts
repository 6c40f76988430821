// What the driver says about the GPUs of a machine, whichever way it was asked. Null means that nobody knows.
import { type Static, Type } from '@sinclair/typebox'

const orNull = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()])
const words = (maxLength: number) => Type.String({ maxLength })
const amount = Type.Number({ minimum: 0 })

/** Another program that has memory of the GPU. In a container the ids are the machine's own, or missing. */
export const GpuProcess = Type.Object({
  pid: Type.Integer({ minimum: 0 }),
  /** Games and desktops draw, everything else computes. */
  kind: Type.Union([Type.Literal('compute'), Type.Literal('graphics')]),
  name: orNull(words(120)),
  usedBytes: orNull(amount),
})
export type GpuProcess = Static<typeof GpuProcess>

/** One GPU that work can be given to: a card, or one instance of a card that is divided (MIG). */
export const Card = Type.Object({
  /** `GPU-…` or `MIG-…`. Indexes change with every boot; this does not. */
  uuid: orNull(words(80)),
  name: words(80),
  memoryBytes: amount,
  freeBytes: orNull(amount),
  /** As NVIDIA writes it: "8.9". */
  computeCapability: orNull(words(10)),
  /** The best the card and its slot can do; an idle card drives its link slower. */
  pcie: Type.Object({ generation: orNull(amount), width: orNull(amount) }),
  /** Drawn now, the limit in force, the one it comes with, and the least and most it can be set to. */
  powerWatts: Type.Object({
    draw: orNull(amount),
    limit: orNull(amount),
    usual: orNull(amount),
    least: orNull(amount),
    most: orNull(amount),
  }),
  temperatureCelsius: orNull(amount),
  /** Share of the last second in which it worked, percent. */
  busyPercent: orNull(amount),
  /** A screen hangs on it. */
  display: orNull(Type.Boolean()),
  /** The card this is an instance of; null: a whole card. */
  partOf: orNull(words(80)),
  processes: orNull(Type.Array(GpuProcess, { maxItems: 256 })),
  /** Why nothing can be given to it; null: nothing is wrong. */
  trouble: orNull(words(200)),
})
export type Card = Static<typeof Card>

export const DriverReport = Type.Object({
  /** The driver's version, e.g. "580.95.05". */
  driver: orNull(words(40)),
  /** Newest CUDA it can run, e.g. "13.0". */
  cuda: orNull(words(10)),
  cards: Type.Array(Card, { maxItems: 64 }),
  /** Why the cards could not be read; null: they could, or there are none. */
  trouble: orNull(words(300)),
})
export type DriverReport = Static<typeof DriverReport>

/** A card of which nothing but its size is known. */
export function plainCard(name: string, memoryBytes: number): Card {
  return {
    ...{ uuid: null, name: name.slice(0, 80), memoryBytes, freeBytes: null, computeCapability: null },
    pcie: { generation: null, width: null },
    powerWatts: { draw: null, limit: null, usual: null, least: null, most: null },
    ...{ temperatureCelsius: null, busyPercent: null, display: null, partOf: null, processes: null, trouble: null },
  }
}
