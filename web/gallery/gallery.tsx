// Every page and part in every state, for whoever works on them. Only where GPUHUB_DEVELOPMENT says so.
import { HubError } from '../../hub/errors.ts'
import { Title } from '../parts/heading.tsx'
import type { Page, Visit } from '../route.ts'
import type { Exhibit } from './exhibit.ts'
import { memberExhibits } from './members.tsx'
import { openExhibits } from './open.tsx'
import { partExhibits } from './parts.tsx'
import { teamExhibits } from './team.tsx'

const rooms: Record<string, Exhibit[]> = {
  Parts: partExhibits,
  'For anybody': openExhibits,
  'For clients and owners': memberExhibits,
  'For the team': teamExhibits,
}

export const exhibits: readonly Exhibit[] = Object.values(rooms).flat()

export function gallery({ hub }: Visit): Page {
  forDevelopers(hub.config.development)
  return {
    title: 'Gallery',
    body: (
      <>
        <Title note="Made-up people and machines; nothing here does anything.">Gallery</Title>
        <div class="columns">
          {Object.entries(rooms).map(([room, shown]) => (
            <div class="card stack">
              <h2>{room}</h2>
              {shown.map(({ name }) => (
                <a href={`/dev/gallery/${name}`}>{name}</a>
              ))}
            </div>
          ))}
        </div>
      </>
    ),
  }
}

export function exhibit({ hub, params }: Visit): Page {
  forDevelopers(hub.config.development)
  const found = exhibits.find(({ name }) => name === params.name)
  if (!found) throw new HubError('not_found', 'The gallery has nothing under this name.')
  return { title: found.name, body: found.body, scripts: found.scripts }
}

/** @throws HubError `not_found` */
function forDevelopers(development: boolean): void {
  if (!development) throw new HubError('not_found', 'There is nothing at this address, or it is not yours.')
}
