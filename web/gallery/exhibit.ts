import type { VNode } from 'preact'

/** A page or a part of one, as it looks in one state. */
export interface Exhibit {
  /** Its address under /dev/gallery. */
  name: string
  body: VNode
  scripts?: string[]
}
