// How far a machine has come on its way from unknown to trusted, and what the hub's own questions to it brought.
import type { ListedHost } from '../../hub/fleet/list.ts'
import type { Check } from '../../hub/verification/host-checks.ts'
import { When } from './when.tsx'

const NEXT: Record<ListedHost['stage'], string> = {
  new: 'New: the hub asks each of its models a question soon, and pays for the answers.',
  checked: 'Checked: it answered the hub’s own questions well.',
  vetted: 'Vetted: it gets any share of the requests.',
}

export function Stages({ of: host, checks }: { of: ListedHost; checks: readonly Check[] }) {
  return (
    <>
      <p>
        {host.simulated && host.stage === 'new' ? 'New: a simulated card is not asked anything.' : NEXT[host.stage]}
      </p>
      {checks.length > 0 && (
        <ul class="small">
          {checks.map(({ variant, passed, finding, at }) => (
            <li>
              <code>{variant}</code> <span class={passed ? 'good' : 'bad'}>{finding}</span>{' '}
              <span class="muted">
                <When at={at} />
              </span>
            </li>
          ))}
        </ul>
      )}
    </>
  )
}
