// How a machine joins: with a person at it, or with a token.
import { addHostToken } from '../../hub/fleet/token.ts'
import { Section, Title } from '../parts/heading.tsx'
import { Command } from '../parts/sample.tsx'
import type { MemberVisit, Page } from '../route.ts'

export interface NewMachineView {
  publicUrl: string
  /** This hub hands out install.sh. */
  installs?: boolean
  /** Just made: the only time it is seen. */
  token?: string
}

export function newMachine({ hub, url }: MemberVisit): Page {
  return { title: 'Add a machine', body: <NewMachinePage {...waysOf(hub, url)} /> }
}

export async function makeToken({ hub, guest, form, url }: MemberVisit): Promise<Page> {
  const name = form.text('name').normalize('NFKC').trim().slice(0, 60) || 'machine'
  const { token } = await addHostToken(hub.env, hub.db, { ownerId: guest.user.id, name })
  const view = { ...waysOf(hub, url), token }
  return { title: 'Add a machine', body: <NewMachinePage {...view} /> }
}

function waysOf(hub: MemberVisit['hub'], url: URL): NewMachineView {
  const publicUrl = hub.config.publicUrl.replace(/\/+$/, '') || url.origin
  return { publicUrl, installs: (hub.releases?.keys.length ?? 0) > 0 }
}

export function NewMachinePage({ publicUrl, installs = false, token }: NewMachineView) {
  const words = '--engine openai --engine-url http://127.0.0.1:8000 --model Qwen/Qwen3-8B'
  const line = installs
    ? `curl -fsSL ${publicUrl}/install.sh | GPUHOST_TOKEN=${token} sh -s -- -- ${words}`
    : `GPUHOST_TOKEN=${token} gpuhost start --hub ${publicUrl} ${words}`
  return (
    <>
      <Title note="A token lets one machine enrol in your name. It is shown once.">Add a machine</Title>
      {installs && token === undefined && (
        <Section
          title="With a person at it"
          note="it asks which model, and shows a code to type in here; no token needed"
        >
          <Command id="install" text={`curl -fsSL ${publicUrl}/install.sh | sh`} />
          <p class="muted small">
            Then what it says: <code>gpuhost setup</code>. <a href="/docs/hosting">How hosting works</a>
          </p>
        </Section>
      )}
      {token === undefined ? (
        <form method="post" action="/host/machines/new" class="filters">
          <div class="field">
            <label for="name">What to call the machine</label>
            <input id="name" name="name" maxLength={60} placeholder="gaming-pc" autocomplete="off" />
          </div>
          <button class="primary">Make a token</button>
        </form>
      ) : (
        <>
          <Section title="1. The token" note="copy it now: it is not shown again">
            <Command id="token" text={token} />
          </Section>
          <Section title="2. On the machine" note="with an engine that already runs there">
            <Command id="start" text={line} />
            <p class="muted small">
              It connects outward; no port is opened, and the hub cannot run commands on it. It appears under{' '}
              <a href="/host/machines">Machines</a> as soon as it is here.
            </p>
          </Section>
        </>
      )}
    </>
  )
}
