// What is on offer, and why the rest cannot be.
import { HubError } from '../../hub/errors.ts'
import { everyOffer, findOffer, type Offer, whyNot } from '../../hub/catalog/find.ts'
import { effectiveClass } from '../../hub/catalog/licence.ts'
import { decide, setStartPrice } from '../../hub/catalog/offers.ts'
import { parsePerMillion, type Price, usdPerMillion } from '../../sdk/money.ts'
import { type Faults, faultOf } from '../form.ts'
import { FormFault, SelectField, TextField } from '../parts/field.tsx'
import { Figures } from '../parts/figures.tsx'
import { Section, Title } from '../parts/heading.tsx'
import { Table } from '../parts/table.tsx'
import { type MemberVisit, type Page, seeOther } from '../route.ts'
import { licenceNote } from '../shop.ts'
import { Facts } from './import.tsx'

interface Row {
  offer: Offer
  enabled: boolean
  hosts: number
  why: string | null
  price: Price
}

export interface ModelsView {
  rows: Row[]
  query: { search: string; show: string }
}

function rowOf({ hub }: MemberVisit, offer: Offer): Row {
  const { promptPicos, completionPicos } = hub.offers.startPrice(offer)
  return {
    offer,
    enabled: hub.offers.find(offer.id) !== null,
    hosts: hub.turns.count(offer.id),
    why: whyNot(offer),
    price: { prompt: promptPicos, completion: completionPicos },
  }
}

export function adminModels(visit: MemberVisit): Page {
  const given = (name: string) => (visit.url.searchParams.get(name) ?? '').trim().slice(0, 100)
  const query = { search: given('search'), show: given('show') }
  const words = query.search.toLowerCase()
  const rows = everyOffer()
    .map((offer) => rowOf(visit, offer))
    .filter(({ offer, enabled, why }) => {
      const { id, model } = offer
      if (![id, model.name, model.ownedBy, model.licence.name].some((text) => text.toLowerCase().includes(words)))
        return false
      if (query.show === 'on') return enabled
      if (query.show === 'off') return !enabled && why === null
      return query.show !== 'refused' || why !== null
    })
  rows.sort((a, b) => Number(b.enabled) - Number(a.enabled))
  return { title: 'Models', body: <AdminModelsPage rows={rows} query={query} /> }
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

export function AdminModelsPage({ rows, query }: ModelsView) {
  return (
    <>
      <div class="heading">
        <Title note="Permissive ones are enabled freely; restricted ones ask every client and host to acknowledge their terms first.">
          Models
        </Title>
        <span class="side">
          <a class="button" href="/admin/models/import">
            Import a model
          </a>
        </span>
      </div>
      <form method="get" action="/admin/models" class="filters">
        <TextField
          name="search"
          label="Model, publisher or licence"
          type="search"
          value={query.search}
          maxLength={100}
        />
        <SelectField
          name="show"
          label="Show"
          value={query.show}
          options={[
            ['', 'all'],
            ['on', 'on offer'],
            ['off', 'can be enabled'],
            ['refused', 'cannot'],
          ]}
        />
        <button>Show</button>
      </form>
      <Table
        caption="Every precision of every model in the catalog"
        empty={
          <p>
            The catalog has nothing like that. <a href="/admin/models">Show all</a>
          </p>
        }
        rows={rows}
        columns={[
          {
            name: 'Model',
            cell: ({ offer }) => (
              <>
                <a href={`/admin/models/${offer.id}`}>{offer.model.name}</a>{' '}
                <span class="tag">{offer.variant.precision}</span>
                <br />
                <code class="muted">{offer.id}</code>
                {offer.model.imported && <span class="tag quiet">imported</span>}
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
            cell: ({ price }) => `$${usdPerMillion(price.prompt)} / $${usdPerMillion(price.completion)}`,
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

export interface AdminModelView extends Row {
  /** The catalog's. */
  fallback: Price
  typed?: { prompt: string; completion: string }
  faults?: Faults
}

function readModel(visit: MemberVisit): AdminModelView {
  const offer = findOffer(visit.params.id ?? '')
  if (!offer) throw new HubError('not_found', 'The catalog has no such model.')
  const { promptPicos, completionPicos } = offer.variant.startPrice
  return { ...rowOf(visit, offer), fallback: { prompt: promptPicos, completion: completionPicos } }
}

export function adminModel(visit: MemberVisit): Page {
  const view = readModel(visit)
  return { title: view.offer.model.name, body: <AdminModelPage {...view} /> }
}

/** Both empty: back to what the catalog says. */
export async function setPrice(visit: MemberVisit): Promise<Page | Response> {
  const { hub, guest, form } = visit
  const { offer } = readModel(visit)
  const typed = { prompt: form.text('prompt').trim(), completion: form.text('completion').trim() }
  try {
    const startPrice =
      typed.prompt === '' && typed.completion === ''
        ? null
        : { promptPicos: priceFrom(typed, 'prompt'), completionPicos: priceFrom(typed, 'completion') }
    await setStartPrice(hub.env, hub.db, { userId: guest.user.id }, { variant: offer.id, startPrice })
    await hub.offers.refresh()
    return seeOther(`/admin/models/${offer.id}`)
  } catch (error) {
    const { faults, status } = faultOf(error, ['prompt', 'completion'])
    const body = <AdminModelPage {...readModel(visit)} typed={typed} faults={faults} />
    return { title: offer.model.name, status, body }
  }
}

function priceFrom<Name extends string>(typed: Record<Name, string>, name: Name): number {
  try {
    return parsePerMillion(typed[name])
  } catch (error) {
    throw new HubError('invalid_request', 'A price is USD per million tokens, like 0.10.', {
      param: name,
      cause: error,
    })
  }
}

export function AdminModelPage({ offer, enabled, hosts, why, price, fallback, typed, faults }: AdminModelView) {
  const { model, variant } = offer
  const own = price.prompt !== fallback.prompt || price.completion !== fallback.completion
  return (
    <>
      <Title
        note={
          <>
            <code>{offer.id}</code> by {model.ownedBy}
          </>
        }
      >
        {model.name} <span class="tag">{variant.precision}</span>{' '}
        <span class={`tag ${enabled ? '' : 'quiet'}`}>{enabled ? 'on offer' : 'off'}</span>
      </Title>
      <Figures
        of={[
          { label: 'Prompt', value: `$${usdPerMillion(price.prompt)}`, note: 'per million tokens' },
          { label: 'Answer', value: `$${usdPerMillion(price.completion)}`, note: 'per million tokens' },
          {
            label: 'Hosts ready',
            value: hosts,
            note: variant.minVramGb > 0 ? `each needs ${variant.minVramGb} GB of VRAM` : 'any machine can',
          },
        ]}
      />
      <div class="columns">
        <Section title="On offer">
          <div class="card stack">
            <p class="muted small">
              <a href={model.licence.url}>{model.licence.name.replace('LicenseRef-', '')}</a>. {licenceNote(model)}
            </p>
            {why !== null ? (
              <p>{why}</p>
            ) : (
              <form method="post" action={`/admin/models/${enabled ? 'disable' : 'enable'}/${offer.id}`}>
                <button class={enabled ? 'danger' : 'primary'}>{enabled ? 'Take it off' : 'Put it on offer'}</button>
              </form>
            )}
          </div>
        </Section>
        <Section title="Start price" note="USD per million tokens">
          <form method="post" action={`/admin/models/price/${offer.id}`} class="card stack">
            <FormFault faults={faults} />
            <TextField
              name="prompt"
              label="Prompt"
              value={typed?.prompt ?? (own ? usdPerMillion(price.prompt) : '')}
              placeholder={usdPerMillion(fallback.prompt)}
              faults={faults}
              maxLength={20}
              autocomplete="off"
            />
            <TextField
              name="completion"
              label="Answer"
              value={typed?.completion ?? (own ? usdPerMillion(price.completion) : '')}
              placeholder={usdPerMillion(fallback.completion)}
              faults={faults}
              hint="Both empty: as the catalog says. Requests that run keep the price they were admitted at."
              maxLength={20}
              autocomplete="off"
            />
            <div>
              <button>Save</button>
            </div>
          </form>
        </Section>
      </div>
      {model.imported && (
        <Section title="Imported" note="read from HuggingFace at one commit">
          <Facts of={model} />
          <p>
            <a href={`/admin/models/import?model=${encodeURIComponent(model.id)}`}>
              Import it again, at another commit
            </a>
          </p>
        </Section>
      )}
      <p>
        <a href={`/admin/acts?subject=${encodeURIComponent(offer.id)}`}>What admins did to it</a>
      </p>
    </>
  )
}
