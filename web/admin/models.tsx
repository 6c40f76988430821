// What is on offer, and why the rest cannot be.
import { HubError } from '../../hub/errors.ts'
import { everyOffer, findOffer, type Offer, whyNot } from '../../hub/catalog/find.ts'
import { effectiveClass } from '../../hub/catalog/licence.ts'
import { decide } from '../../hub/catalog/offers.ts'
import { usdPerMillion } from '../../sdk/money.ts'
import { Title } from '../parts/heading.tsx'
import { Table } from '../parts/table.tsx'
import { type MemberVisit, type Page, seeOther } from '../route.ts'

export interface ModelsView {
  rows: { offer: Offer; enabled: boolean; hosts: number; why: string | null }[]
}

export function adminModels({ hub }: MemberVisit): Page {
  const rows = everyOffer().map((offer) => ({
    offer,
    enabled: hub.offers.find(offer.id) !== null,
    hosts: hub.turns.count(offer.id),
    why: whyNot(offer),
  }))
  rows.sort((a, b) => Number(b.enabled) - Number(a.enabled))
  return { title: 'Models', body: <AdminModelsPage rows={rows} /> }
}

export function setOffer(enabled: boolean) {
  return async ({ hub, guest, params }: MemberVisit): Promise<Response> => {
    const offer = findOffer(params.id ?? '')
    if (!offer) throw new HubError('not_found', 'The catalog has no such model.')
    const why = enabled ? whyNot(offer) : null
    if (why !== null) throw new HubError('invalid_request', why)
    await decide(hub.env, hub.db, { userId: guest.user.id }, { variant: offer.id, enabled })
    await hub.offers.refresh()
    return seeOther('/admin/models')
  }
}

export function AdminModelsPage({ rows }: ModelsView) {
  return (
    <>
      <Title note="Permissive ones are enabled freely; restricted ones ask every client and host to acknowledge their terms first.">
        Models
      </Title>
      <Table
        caption="Every precision of every model in the catalog"
        empty={<p>The catalog is empty.</p>}
        rows={rows}
        columns={[
          {
            name: 'Model',
            cell: ({ offer }) => (
              <>
                {offer.model.name} <span class="tag">{offer.variant.precision}</span>
                <br />
                <code class="muted">{offer.id}</code>
              </>
            ),
          },
          {
            name: 'Licence',
            cell: ({ offer: { model } }) => (
              <>
                {model.licence.name.replace('LicenseRef-', '')}{' '}
                {effectiveClass(model) !== 'A' && (
                  <span class={`tag ${effectiveClass(model) === 'C' ? 'bad' : 'warn'}`}>
                    {effectiveClass(model) === 'C' ? 'refused' : 'terms'}
                  </span>
                )}
              </>
            ),
          },
          { name: 'VRAM', number: true, cell: ({ offer }) => `${offer.variant.minVramGb} GB` },
          {
            name: 'Price',
            number: true,
            cell: ({ offer: { variant } }) =>
              `$${usdPerMillion(variant.startPrice.promptPicos)} / $${usdPerMillion(variant.startPrice.completionPicos)}`,
          },
          { name: 'Hosts', number: true, cell: ({ hosts }) => hosts },
          {
            name: 'On offer',
            cell: ({ offer, enabled, why }) =>
              why !== null ? (
                <span class="muted small">{why}</span>
              ) : (
                <form method="post" action={`/admin/models/${enabled ? 'disable' : 'enable'}/${offer.id}`} class="row">
                  <span class={enabled ? 'good' : 'muted'}>{enabled ? 'on' : 'off'}</span>
                  <button class="link" aria-label={`${enabled ? 'Disable' : 'Enable'} ${offer.id}`}>
                    {enabled ? 'Disable' : 'Enable'}
                  </button>
                </form>
              ),
          },
        ]}
      />
    </>
  )
}
