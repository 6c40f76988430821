// What strangers and users reported, and what the team made of it.
import { HubError } from '../../hub/errors.ts'
import { changeReport, listReports, type Report, reportById, reportStates } from '../../hub/policy/reports.ts'
import { type Faults, faultOf } from '../form.ts'
import { AreaField, FormFault, SelectField } from '../parts/field.tsx'
import { Section, Title } from '../parts/heading.tsx'
import { Table } from '../parts/table.tsx'
import { When } from '../parts/when.tsx'
import { type MemberVisit, type Page, seeOther } from '../route.ts'

const PAGE = 50

export interface ReportsView {
  reports: Report[]
  state: string
  next: string | null
}

export async function reports({ hub, url }: MemberVisit): Promise<Page> {
  const state = url.searchParams.get('state') ?? ''
  const found = await listReports(hub.db, {
    limit: PAGE + 1,
    before: url.searchParams.get('before') ?? undefined,
    state: reportStates.find((each) => each === state),
  })
  const next = found.length > PAGE ? (found[PAGE - 1]?.id ?? null) : null
  return { title: 'Reports', body: <ReportsPage reports={found.slice(0, PAGE)} state={state} next={next} /> }
}

export function ReportsPage({ reports, state, next }: ReportsView) {
  return (
    <>
      <Title
        note={
          <>
            Sent from <a href="/report-abuse">the public page</a>, newest first.
          </>
        }
      >
        Reports
      </Title>
      <form method="get" action="/admin/reports" class="filters">
        <SelectField
          name="state"
          label="State"
          value={state}
          options={[['', 'all'], ...reportStates.map((each): [string, string] => [each, each])]}
        />
        <button>Show</button>
      </form>
      <Table
        caption="Reports, newest first"
        empty={<p>Nothing was reported{state === '' ? ' yet' : ' that is like that'}.</p>}
        rows={reports}
        columns={[
          { name: 'What', cell: ({ id, kind }) => <a href={`/admin/reports/${id}`}>{kind}</a> },
          { name: 'About', cell: ({ about }) => about || '–' },
          { name: 'When', cell: ({ at }) => <When at={at} /> },
          { name: 'State', cell: (report) => <ReportTag of={report} /> },
        ]}
      />
      {next !== null && (
        <p>
          <a href={`/admin/reports?${state === '' ? '' : `state=${state}&`}before=${next}`}>Older</a>
        </p>
      )}
    </>
  )
}

function ReportTag({ of: { state } }: { of: Report }) {
  const tone = { new: 'warn', open: '', closed: 'quiet' }
  return <span class={`tag ${tone[state]}`}>{state}</span>
}

async function oneReport({ hub, params }: MemberVisit): Promise<Report> {
  const report = await reportById(hub.db, params.id ?? '')
  if (!report) throw new HubError('not_found', 'There is no such report.')
  return report
}

export async function report(visit: MemberVisit): Promise<Page> {
  return { title: 'Report', body: <ReportPage report={await oneReport(visit)} /> }
}

export async function setReport(visit: MemberVisit): Promise<Page | Response> {
  const { hub, guest, form } = visit
  const before = await oneReport(visit)
  const wish = { state: form.text('state'), note: form.text('note') }
  try {
    await changeReport(hub.env, hub.db, { userId: guest.user.id }, before.id, wish)
    return seeOther(`/admin/reports/${before.id}`)
  } catch (error) {
    const { faults, status } = faultOf(error, ['state', 'note'])
    const body = <ReportPage report={{ ...before, note: wish.note }} faults={faults} />
    return { title: 'Report', status, body }
  }
}

export function ReportPage({ report, faults }: { report: Report; faults?: Faults }) {
  const { id, at, kind, about, text, contact, state, note } = report
  return (
    <>
      <Title
        note={
          <>
            <When at={at} exact /> · <code>{id}</code>
          </>
        }
      >
        {kind} <ReportTag of={report} />
      </Title>
      <div class="columns">
        <Section title="What was written">
          <div class="card stack">
            <p class="muted small">About {about || 'nothing named'}</p>
            <p class="written">{text}</p>
            <p class="muted small">{contact === '' ? 'They left no address.' : `Answer to ${contact}`}</p>
          </div>
        </Section>
        <Section title="What we made of it">
          <form method="post" action={`/admin/reports/${id}`} class="card stack">
            <FormFault faults={faults} />
            <SelectField
              name="state"
              label="State"
              value={state}
              faults={faults}
              options={reportStates.map((each): [string, string] => [each, each])}
            />
            <AreaField name="note" label="Note, the team’s own" value={note} faults={faults} maxLength={5_000} />
            <div>
              <button class="primary">Save</button>
            </div>
          </form>
        </Section>
      </div>
    </>
  )
}
