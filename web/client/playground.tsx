// Asking by hand. The one page that needs its script: an answer is shown while it comes, as text and nothing else.
import { askForPerson } from '../../hub/gateway/playground.ts'
import { HubError } from '../../hub/errors.ts'
import { usdPerMillion } from '../../sdk/money.ts'
import { assets } from '../assets.ts'
import { firstRequest } from '../home/samples.ts'
import { SelectField, TextField } from '../parts/field.tsx'
import { Figures } from '../parts/figures.tsx'
import { Section, Title } from '../parts/heading.tsx'
import { Samples } from '../parts/sample.tsx'
import type { MemberVisit, Page } from '../route.ts'
import { type Item, shelves } from '../shop.ts'

const MOST_MESSAGES = 200

export interface PlaygroundView {
  items: Item[]
  /** The variant to begin with. */
  model: string
  publicUrl: string
}

export function playground({ hub, url }: MemberVisit): Page {
  const items = shelves(hub).flatMap(({ variants }) => variants)
  const wanted = url.searchParams.get('model') ?? ''
  const first = items.find(({ offer }) => offer.id === wanted || offer.model.id === wanted) ?? items[0]
  const view = { items, model: first?.offer.id ?? '', publicUrl: hub.config.publicUrl || url.origin }
  return { title: 'Playground', body: <PlaygroundPage {...view} />, scripts: [assets.playground] }
}

/** What the page's script asks; answered as `/v1/chat/completions` answers, with the person's own key. */
export function playgroundAnswer({ hub, request, connection, guest, form }: MemberVisit): Promise<Response> {
  const number = (name: string) => (form.text(name).trim() === '' ? undefined : Number(form.text(name)))
  const body = {
    model: form.text('model'),
    messages: messagesOf(form.text('messages')),
    max_tokens: number('max_tokens'),
    temperature: number('temperature'),
    stream: true,
    stream_options: { include_usage: true },
  }
  return askForPerson(hub, { request, connection, userId: guest.user.id, body })
}

/** Their form is the gateway's to judge. @throws HubError for what is no list */
function messagesOf(text: string): unknown[] {
  try {
    const messages: unknown = JSON.parse(text)
    if (Array.isArray(messages) && messages.length <= MOST_MESSAGES) return messages
  } catch {
    // Said below.
  }
  throw new HubError('invalid_request', `A conversation is a list of at most ${MOST_MESSAGES} messages.`)
}

export function PlaygroundPage({ items, model, publicUrl }: PlaygroundView) {
  if (items.length === 0)
    return (
      <>
        <Title>Playground</Title>
        <div class="card empty">
          <p>No model is on offer yet. As soon as one is, it can be asked here.</p>
        </div>
      </>
    )
  return (
    <>
      <div class="stack">
        <Title note="Ask a model by hand. It is billed as any request of yours, and appears under Usage.">
          Playground
        </Title>
        <noscript>
          <p class="note-box warn">This page needs JavaScript. The sample below asks the same without a browser.</p>
        </noscript>
      </div>
      <Figures
        of={[
          {
            label: 'Tokens',
            value: <span id="play-tokens">–</span>,
            note: <span id="play-tokens-note">this answer</span>,
          },
          { label: 'Cost', value: <span id="play-cost">–</span>, note: <span id="play-cost-note">this answer</span> },
          { label: 'Speed', value: <span id="play-speed">–</span>, note: 'tokens a second' },
          { label: 'First token', value: <span id="play-first">–</span>, note: 'after asking' },
        ]}
      />
      <form id="playground" class="playground" method="post" action="/client/playground/answers" data-url={publicUrl}>
        <div class="stack">
          <div id="talk" class="card talk" role="log" aria-label="Conversation" tabIndex={0}>
            <p class="muted">Nothing was asked yet. Ask something below.</p>
          </div>
          <div class="field">
            <label for="question">Your message</label>
            <textarea id="question" rows={3} placeholder="Why is the sky blue?" aria-describedby="question-hint" />
            <span class="hint" id="question-hint">
              Ctrl+Enter sends.
            </span>
          </div>
          <div class="row">
            <button class="primary" id="send">
              Send
            </button>
            <button type="button" id="stop" disabled>
              Stop
            </button>
            <button type="button" id="renew">
              New conversation
            </button>
            <span id="play-state" class="muted small" role="status" />
          </div>
        </div>
        <div class="card stack">
          <SelectField
            name="model"
            label="Model"
            value={model}
            options={items.map(({ offer, hosts }): [string, string] => [
              offer.id,
              `${offer.model.name} ${offer.variant.precision}${hosts === 0 ? ' (no host now)' : ''}`,
            ])}
          />
          <p class="hint small muted" id="play-price">
            {items.map(({ offer, price }) => (
              <span data-model={offer.id} hidden={offer.id !== model}>
                ${usdPerMillion(price.prompt)} in, ${usdPerMillion(price.completion)} out, per million tokens
              </span>
            ))}
          </p>
          <div class="field">
            <label for="system">System message</label>
            <textarea id="system" rows={3} placeholder="You are a helpful assistant." />
          </div>
          <TextField name="max_tokens" label="Most tokens of an answer" type="number" min="1" step="1" value="500" />
          <TextField name="temperature" label="Temperature" type="number" min="0" max="2" step="0.1" placeholder="1" />
        </div>
      </form>
      <Section title="As code" note="this conversation, with a key of yours in place of YOUR_KEY">
        <Samples id="code" of={firstRequest(publicUrl, model)} />
      </Section>
    </>
  )
}
