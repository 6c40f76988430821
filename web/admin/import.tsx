// Brings a model of HuggingFace into the catalog: first what would come and what is against it, then the deed.
import { importFacts } from '../../hub/catalog/facts.ts'
import { keepImport, type Prepared, prepareImport } from '../../hub/catalog/imports.ts'
import { offerOf } from '../../hub/catalog/find.ts'
import type { ModelRecord } from '../../hub/catalog/records.ts'
import { proveBeside } from '../../hub/metering/prove.ts'
import { type Faults, faultOf } from '../form.ts'
import { CheckField, FormFault, TextField } from '../parts/field.tsx'
import { Section, Title } from '../parts/heading.tsx'
import { Table } from '../parts/table.tsx'
import { type MemberVisit, type Page, seeOther } from '../route.ts'

interface Typed {
  model: string
  revision: string
  licenceRead: boolean
}

export interface ImportView {
  typed: Typed
  faults?: Faults
  /** What was found. */
  found?: Pick<Prepared, 'record' | 'against'>
}

export function importPage({ url }: MemberVisit): Page {
  const typed = { model: (url.searchParams.get('model') ?? '').slice(0, 200), revision: '', licenceRead: false }
  return { title: 'Import a model', body: <ImportPage typed={typed} /> }
}

/** Looks, and with `step` `import` keeps what it found, if nothing is against it. */
export async function importModel({ hub, guest, form }: MemberVisit): Promise<Page | Response> {
  const { env, db, config } = hub
  const typed = {
    ...{ model: form.text('model').trim(), revision: form.text('revision').trim() },
    licenceRead: form.has('licence-read'),
  }
  const title = 'Import a model'
  try {
    const library = { env, endpoint: config.hfEndpoint, token: config.hfToken }
    const wish = { ...typed, revision: typed.revision === '' ? null : typed.revision }
    const prepared = await prepareImport(library, wish, proveBeside(env))
    const { record, against } = prepared
    if (form.text('step') !== 'import' || against.length > 0)
      return { title, body: <ImportPage typed={{ ...typed, revision: pinned(record) }} found={{ record, against }} /> }
    await keepImport(env, db, { userId: guest.user.id }, prepared)
    await hub.offers.refresh()
    return seeOther(`/admin/models/${offerOf(record).id}`)
  } catch (error) {
    const { faults, status } = faultOf(error, ['model', 'revision'])
    return { title, status, body: <ImportPage typed={typed} faults={faults} /> }
  }
}

/** What was looked at is what comes, whatever its publisher does meanwhile. */
function pinned({ variants: [variant] }: ModelRecord): string {
  return variant.revision ?? ''
}

export function ImportPage({ typed, faults, found }: ImportView) {
  const ready = found !== undefined && found.against.length === 0
  return (
    <>
      <Title note="It is read from HuggingFace at one commit, with its tokenizer and the licences it inherits. It is off until you enable it.">
        Import a model
      </Title>
      <form method="post" action="/admin/models/import" class="card stack">
        <FormFault faults={faults} />
        <TextField
          name="model"
          label="HuggingFace id"
          value={typed.model}
          placeholder="Qwen/Qwen3-4B"
          faults={faults}
          maxLength={200}
          autocomplete="off"
          required
        />
        <TextField
          name="revision"
          label="Commit, branch or tag"
          value={typed.revision}
          hint="Empty: what main is at now. Hosts download exactly that commit."
          faults={faults}
          maxLength={100}
          autocomplete="off"
        />
        <CheckField
          name="licence-read"
          label="I have read licences that this hub does not know, and they let us sell answers. Clients and hosts are asked to confirm them, too."
          checked={typed.licenceRead}
        />
        <div class="row">
          <button class={ready ? '' : 'primary'} name="step" value="look">
            Look at it
          </button>
          {ready && (
            <button class="primary" name="step" value="import">
              Import {found.record.name}
            </button>
          )}
        </div>
      </form>
      {found && (
        <Section title={found.record.name} note={ready ? 'nothing is against it' : 'it cannot come as it is'}>
          {found.against.length > 0 && (
            <ul class="note-box bad">
              {found.against.map((why) => (
                <li>{why}</li>
              ))}
            </ul>
          )}
          <Facts of={found.record} />
        </Section>
      )}
    </>
  )
}

export function Facts({ of: model }: { of: ModelRecord }) {
  return (
    <Table
      caption="What it is"
      empty={null}
      rows={importFacts(model)}
      columns={[
        { name: 'What', cell: ([name]) => name },
        { name: 'Found', cell: ([, value]) => value },
      ]}
    />
  )
}
