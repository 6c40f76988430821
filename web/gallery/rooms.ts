// What the gallery shows, by room.
import type { Exhibit } from './exhibit.ts'
import { memberExhibits } from './members.tsx'
import { openExhibits } from './open.tsx'
import { partExhibits } from './parts.tsx'
import { teamExhibits } from './team.tsx'

export const rooms: Record<string, Exhibit[]> = {
  Parts: partExhibits,
  'For anybody': openExhibits,
  'For clients and owners': memberExhibits,
  'For the team': teamExhibits,
}

export const exhibits: readonly Exhibit[] = Object.values(rooms).flat()
