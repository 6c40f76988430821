// What the team decides while the hub runs, the record of every act, and letters.
import { HubError } from '../../hub/errors.ts'
import { webhookKey } from '../../hub/jobs/webhook.ts'
import { listMails, type Mail } from '../../hub/mail/outbox.ts'
import { type Act, listActs } from '../../hub/policy/acts.ts'
import { changeSettings } from '../../hub/policy/change.ts'
import { listSettings, type SettingRow } from '../../hub/policy/settings.ts'
import { type Faults, faultOf } from '../form.ts'
import { FormFault, Hidden } from '../parts/field.tsx'
import { Title } from '../parts/heading.tsx'
import { Table } from '../parts/table.tsx'
import { When } from '../parts/when.tsx'
import { type MemberVisit, type Page, seeOther } from '../route.ts'

const PAGE = 50

export interface SettingsView {
  rows: SettingRow[]
  /** What signs what is posted to the alert webhook. */
  webhookKey: string
  /** The setting whose form was sent, with what was typed. */
  sent?: { name: string; typed: string }
  faults?: Faults
}

export function settings({ hub }: MemberVisit): Page {
  return {
    title: 'Settings',
    body: <SettingsPage rows={listSettings(hub.policy.current())} webhookKey={webhookKey(hub.seal)} />,
  }
}

export async function setSetting({ hub, guest, form }: MemberVisit): Promise<Page | Response> {
  const name = form.text('name')
  const typed = form.text('value')
  try {
    const row = listSettings(hub.policy.current()).find((each) => each.name === name)
    if (!row) throw new HubError('not_found', 'There is no such setting.')
    await changeSettings(hub.env, hub.db, { userId: guest.user.id }, { [name]: valueOf(row, typed) })
    await hub.policy.refresh()
    return seeOther(`/admin/settings#${name}`)
  } catch (error) {
    const { faults, status } = faultOf(error)
    const view = {
      rows: listSettings(hub.policy.current()),
      webhookKey: webhookKey(hub.seal),
      sent: { name, typed },
      faults,
    }
    return { title: 'Settings', status, body: <SettingsPage {...view} /> }
  }
}

/** Texts and lists of texts as people write them; the rest as JSON. */
function valueOf({ value, fallback }: SettingRow, typed: string): unknown {
  if (typeof fallback === 'string') return typed.trim()
  if (isTexts(value) && isTexts(fallback)) return typed.split(/[\s,]+/).filter(Boolean)
  if (typed.trim() === '') return null
  try {
    return JSON.parse(typed)
  } catch (error) {
    throw new HubError('invalid_request', 'This setting takes a number or JSON.', { cause: error })
  }
}

function written({ value, fallback }: SettingRow): string {
  if (typeof fallback === 'string') return String(value)
  return isTexts(value) && isTexts(fallback) ? value.join(', ') : value === null ? '' : JSON.stringify(value)
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === 'string')
}

export function SettingsPage({ rows, webhookKey, sent, faults }: SettingsView) {
  return (
    <>
      <Title note="In force within a second, on every hub, without a restart. Every change is written down.">
        Settings
      </Title>
      <div class="stack">
        {rows.map((row) => {
          const { name, description, fallback, value, secret } = row
          const mine = sent?.name === name
          return (
            <form method="post" action="/admin/settings" class="card stack" id={name}>
              {mine && <FormFault faults={faults} />}
              <Hidden name="name" value={name} />
              <div class="field">
                <label for={`value-${name}`}>
                  <code>{name}</code> {Bun.deepEquals(value, fallback) ? '' : <span class="tag">changed</span>}
                </label>
                <div class="row setting">
                  <input
                    id={`value-${name}`}
                    name="value"
                    value={mine ? sent.typed : written(row)}
                    aria-describedby={`hint-${name}`}
                    autocomplete="off"
                  />
                  <button>Save</button>
                </div>
                <span class="hint" id={`hint-${name}`}>
                  {description}
                  {!secret && ` Default: ${written({ ...row, value: fallback }) || 'none'}.`}
                </span>
                {name === 'alertWebhook' && (
                  <details>
                    <summary>How to check the signature</summary>
                    <p class="small">
                      <code>x-gpuhub-signature: t=SECONDS,v1=HEX</code>: HMAC-SHA256 of <code>SECONDS.BODY</code> with
                      the key <code>{webhookKey}</code>.
                    </p>
                  </details>
                )}
              </div>
            </form>
          )
        })}
      </div>
    </>
  )
}

export interface ActsView {
  acts: Act[]
  next: string | null
}

export async function acts({ hub, url }: MemberVisit): Promise<Page> {
  const subject = url.searchParams.get('subject') ?? undefined
  const found = await listActs(hub.db, {
    limit: PAGE + 1,
    before: url.searchParams.get('before') ?? undefined,
    subject,
  })
  const next = found.length > PAGE ? (found[PAGE - 1]?.id ?? null) : null
  return { title: 'Acts', body: <ActsPage acts={found.slice(0, PAGE)} next={next} /> }
}

export function ActsPage({ acts, next }: ActsView) {
  return (
    <>
      <Title note="What admins did, on these pages or on the command line. Only ever added to.">Acts</Title>
      <Table
        caption="Acts, newest first"
        empty={<p>No admin has done anything yet.</p>}
        rows={acts}
        columns={[
          { name: 'When', cell: ({ at }) => <When at={at} /> },
          {
            name: 'Who',
            cell: ({ by }) => (typeof by === 'string' ? by : <a href={`/admin/users/${by.userId}`}>{by.userId}</a>),
          },
          { name: 'What', cell: ({ what }) => what },
          { name: 'To', cell: ({ subject }) => <code>{subject}</code> },
          { name: 'Before', cell: ({ before }) => <Value of={before} /> },
          { name: 'After', cell: ({ after }) => <Value of={after} /> },
        ]}
      />
      {next !== null && (
        <p>
          <a href={`/admin/acts?before=${next}`}>Older</a>
        </p>
      )}
    </>
  )
}

function Value({ of }: { of: unknown }) {
  return of === null ? <span class="muted">–</span> : <code>{JSON.stringify(of).slice(0, 200)}</code>
}

export interface LettersView {
  mails: Mail[]
  next: string | null
}

export async function letters({ hub, url }: MemberVisit): Promise<Page> {
  const found = await listMails(hub.db, { limit: PAGE + 1, before: url.searchParams.get('before') ?? undefined })
  const next = found.length > PAGE ? (found[PAGE - 1]?.id ?? null) : null
  return { title: 'Letters', body: <LettersPage mails={found.slice(0, PAGE)} next={next} /> }
}

export function LettersPage({ mails, next }: LettersView) {
  return (
    <>
      <Title note="With SMTP_URL they are sent; without it they wait here, with their text.">Letters</Title>
      {mails.length === 0 && <div class="card empty">No letter was written yet.</div>}
      {mails.map((mail) => (
        <div class="card stack">
          <p>
            <strong>{mail.subject}</strong> to {mail.recipient} · <When at={mail.createdAt} /> · <MailState of={mail} />
          </p>
          {mail.text !== null && (
            <details>
              <summary>Text</summary>
              <pre>{mail.text}</pre>
            </details>
          )}
        </div>
      ))}
      {next !== null && (
        <p>
          <a href={`/admin/letters?before=${next}`}>Older</a>
        </p>
      )}
    </>
  )
}

function MailState({ of: { sentAt, error } }: { of: Mail }) {
  if (sentAt !== null) return <span class="good">sent</span>
  return error === null ? <span class="muted">waits</span> : <span class="bad">{error}</span>
}
