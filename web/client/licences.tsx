// Licences that ask to be acknowledged: the statements and the texts in view, one form each.
import { HubError } from '../../hub/errors.ts'
import { type Offer } from '../../hub/catalog/find.ts'
import { acknowledge, listAcknowledgements } from '../../hub/identity/licences.ts'
import type { Faults } from '../form.ts'
import { CheckField, FormFault } from '../parts/field.tsx'
import { Section, Title } from '../parts/heading.tsx'
import { When } from '../parts/when.tsx'
import { type MemberVisit, type Page, seeOther } from '../route.ts'

interface Asked {
  offer: Offer
  /** When it was acknowledged; null: not yet. */
  at: number | null
}

export interface LicencesView {
  asked: Asked[]
  faults?: Faults
  /** The model whose form was sent. */
  sent?: string
}

export async function licences(visit: MemberVisit): Promise<Page> {
  return { title: 'Licences', body: <LicencesPage asked={await readLicences(visit)} /> }
}

export async function acknowledgeLicence(visit: MemberVisit): Promise<Page | Response> {
  const { hub, guest, params, form } = visit
  const asked = await readLicences(visit)
  const found = asked.find(({ offer }) => offer.model.id === params.id)
  if (!found || found.offer.terms === null) throw new HubError('not_found', 'This model asks for no acknowledgement.')
  const { model, terms } = found.offer
  const said = model.statements.filter(({ id }) => form.all('statement').includes(id))
  if (said.length < model.statements.length) {
    const faults = { '': 'Each of the statements has to be true. Nothing was acknowledged.' }
    const body = <LicencesPage asked={asked} faults={faults} sent={model.id} />
    return { title: 'Licences', status: 400, body }
  }
  await acknowledge(hub.env, hub.db, {
    userId: guest.user.id,
    model: model.id,
    licence: terms,
    statements: said.map(({ text }) => text),
  })
  return seeOther('/client/licences')
}

async function readLicences({ hub, guest }: MemberVisit): Promise<Asked[]> {
  const given = await listAcknowledgements(hub.db, guest.user.id)
  const models = new Map(hub.offers.all().flatMap((offer) => (offer.terms === null ? [] : [[offer.model.id, offer]])))
  return [...models.values()].map((offer) => ({
    offer,
    at: given.find(({ model, licence }) => model === offer.model.id && licence === offer.terms)?.at ?? null,
  }))
}

export function LicencesPage({ asked, faults, sent }: LicencesView) {
  return (
    <>
      <Title note="Some models have terms of their own. You acknowledge them once; when a text changes, you are asked again.">
        Licences
      </Title>
      {asked.length === 0 && (
        <div class="card empty">
          <p>
            No model on offer asks for an acknowledgement: use all of them. <a href="/licences">About licences</a>
          </p>
        </div>
      )}
      {asked.map(({ offer: { model }, at }) => (
        <Section title={model.name} note={at === null ? 'not acknowledged' : <When at={at} />}>
          <div class="card stack">
            <p>
              <a href={model.licence.url}>{model.licence.name.replace('LicenseRef-', '')}</a>
              {model.bases.map((base) => ` · derived from ${base.id} (${base.licence.replace('LicenseRef-', '')})`)}
              {model.aupUrl !== null && (
                <>
                  {' · '}
                  <a href={model.aupUrl}>use policy</a>
                </>
              )}
            </p>
            {at === null ? (
              <form method="post" action={`/client/licences/${model.id}`} class="stack">
                {sent === model.id && <FormFault faults={faults} />}
                {model.statements.map(({ id, text }) => (
                  <CheckField name="statement" value={id} label={text} />
                ))}
                <div>
                  <button class="primary">Acknowledge</button>
                </div>
              </form>
            ) : (
              model.statements.map(({ text }) => <p class="muted">{text}</p>)
            )}
          </div>
        </Section>
      ))}
    </>
  )
}
