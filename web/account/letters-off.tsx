// Where the link in a letter of news leads: it asks first, for mail programs look ahead; a mail program's own button
// posts at once.
import { isNewsKind, newsKinds } from '../../hub/mail/news-kinds.ts'
import { letterOff, type Off } from '../../hub/mail/unsubscribe.ts'
import { Title } from '../parts/heading.tsx'
import type { Page, Visit } from '../route.ts'

export interface LettersOffView {
  off: Off
  done: boolean
}

export function lettersOffPage({ url }: Visit): Page {
  return { title: 'Letters', body: <LettersOffPage off={offIn(url)} done={false} /> }
}

export async function lettersOff({ hub, url }: Visit): Promise<Page> {
  const off = offIn(url)
  await letterOff(hub.db, hub.identity.letterMark, off)
  return { title: 'Letters', body: <LettersOffPage off={off} done /> }
}

function offIn({ searchParams }: URL): Off {
  const given = (name: string) => (searchParams.get(name) ?? '').slice(0, 100)
  return { of: given('of'), kind: given('kind'), mark: given('mark') }
}

export function LettersOffPage({ off, done }: LettersOffView) {
  const what = isNewsKind(off.kind) ? `No more letters “${newsKinds[off.kind].label}”` : 'No more of these letters'
  const choose = <a href="/account#letters">Choose what you want letters about</a>
  if (done)
    return (
      <>
        <Title note="What concerns your sign-in, such as a new password, always comes.">{what}</Title>
        <p>{choose}</p>
      </>
    )
  return (
    <>
      <Title note="All other letters go on coming.">{what}?</Title>
      <form method="post" action={`/letters/off?${new URLSearchParams({ ...off })}`} class="row">
        <button class="primary" name="List-Unsubscribe" value="One-Click">
          Stop them
        </button>
        {choose}
      </form>
    </>
  )
}
