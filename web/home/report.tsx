// Anybody may say what is wrong with how this hub is used.
import { limitKey } from '../../hub/identity/caller.ts'
import { addReport, reportKinds } from '../../hub/policy/reports.ts'
import { type Faults, faultOf, type Form } from '../form.ts'
import { AreaField, FormFault, SelectField, TextField } from '../parts/field.tsx'
import { Title } from '../parts/heading.tsx'
import type { Page, Visit } from '../route.ts'

const FIELDS = ['kind', 'about', 'text', 'contact']

export interface ReportView {
  typed: { kind: string; about: string; text: string; contact: string }
  faults?: Faults
}

export function reportAbuse({ url, guest }: Visit): Page {
  const about = (url.searchParams.get('about') ?? '').slice(0, 300)
  const typed = { kind: '', about, text: '', contact: guest?.user.email ?? '' }
  return { title: 'Report abuse', body: <ReportAbusePage typed={typed} /> }
}

export async function sendReport({ hub, request, form }: Visit & { form: Form }): Promise<Page> {
  const { identity } = hub
  const typed = {
    ...{ kind: form.text('kind'), about: form.text('about') },
    ...{ text: form.text('text'), contact: form.text('contact') },
  }
  try {
    identity.limits.take('reportFrom', limitKey(identity.callers.of(request).address))
    const id = await addReport(hub.env, hub.db, typed)
    return { title: 'Thank you', body: <Reported id={id} /> }
  } catch (error) {
    const { faults, status } = faultOf(error, FIELDS)
    return { title: 'Report abuse', status, body: <ReportAbusePage typed={typed} faults={faults} /> }
  }
}

export function ReportAbusePage({ typed, faults }: ReportView) {
  return (
    <div class="narrow stack">
      <Title note="The people who run this hub read it. What breaks the acceptable-use rules ends accounts.">
        Report abuse
      </Title>
      <form method="post" action="/report-abuse" class="card stack">
        <FormFault faults={faults} />
        <SelectField
          name="kind"
          label="What it is"
          value={typed.kind}
          faults={faults}
          options={[['', 'choose'], ...reportKinds.map((kind): [string, string] => [kind, kind])]}
        />
        <TextField
          name="about"
          label="What it is about"
          value={typed.about}
          faults={faults}
          hint="A request’s id, a model, an address, if you know one."
          maxLength={300}
          autocomplete="off"
        />
        <AreaField
          name="text"
          label="What happened"
          value={typed.text}
          faults={faults}
          rows={6}
          maxLength={5_000}
          required
        />
        <TextField
          name="contact"
          label="Your e-mail, if you want an answer"
          type="email"
          value={typed.contact}
          faults={faults}
          hint="Forgotten 90 days after the report is closed."
          maxLength={254}
          autocomplete="email"
        />
        <div>
          <button class="primary">Send</button>
        </div>
      </form>
      <p class="muted small">
        The rules: <a href="/acceptable-use">acceptable use</a>. Somebody in danger needs the police first.
      </p>
    </div>
  )
}

export function Reported({ id }: { id: string }) {
  return (
    <div class="narrow stack">
      <Title note="A person reads it.">Thank you</Title>
      <p>
        Your report is number <code>{id}</code>. Name it if you write to us again.
      </p>
    </div>
  )
}
