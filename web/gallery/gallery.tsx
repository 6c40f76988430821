// Every page and part in every state, for whoever works on them. Only where GPUHUB_DEVELOPMENT says so.
import { HubError } from '../../hub/errors.ts'
import { Title } from '../parts/heading.tsx'
import type { Page, Visit } from '../route.ts'

export async function gallery({ hub }: Visit): Promise<Page> {
  forDevelopers(hub.config.development)
  const { rooms } = await hung()
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

export async function exhibit({ hub, params }: Visit): Promise<Page> {
  forDevelopers(hub.config.development)
  const { exhibits } = await hung()
  const found = exhibits.find(({ name }) => name === params.name)
  if (!found) throw new HubError('not_found', 'The gallery has nothing under this name.')
  return { title: found.name, body: found.body, scripts: found.scripts }
}

/** Nothing is made up before somebody looks: a hub that serves need not have it. */
const hung = () => import('./rooms.ts')

/** @throws HubError `not_found` */
function forDevelopers(development: boolean): void {
  if (!development) throw new HubError('not_found', 'There is nothing at this address, or it is not yours.')
}
