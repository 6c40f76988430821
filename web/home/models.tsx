import { effectiveClass } from '../../hub/catalog/licence.ts'
import { HubError } from '../../hub/errors.ts'
import { usdPerMillion } from '../../sdk/money.ts'
import { short } from '../parts/amount.tsx'
import { Figures } from '../parts/figures.tsx'
import { Section, Title } from '../parts/heading.tsx'
import { Samples } from '../parts/sample.tsx'
import { Table } from '../parts/table.tsx'
import type { Page, Visit } from '../route.ts'
import { licenceNote, type Item, type Shelf, shelf, shelves } from '../shop.ts'
import { firstRequest } from './samples.ts'

export function models({ hub }: Visit): Page {
  return {
    title: 'Models',
    description: 'Open models on offer: price, hosts, context, precision and licence.',
    body: <ModelsPage shelves={shelves(hub)} />,
  }
}

export function ModelsPage({ shelves }: { shelves: Shelf[] }) {
  const items = shelves.flatMap(({ variants }) => variants)
  return (
    <>
      <Title note="Each precision of a model is a product of its own, with its own hosts and price. USD per million tokens.">
        Models
      </Title>
      <Table<Item>
        caption="Models on offer"
        empty={<p>No model is on offer yet. Whoever runs this hub enables them with gpuhub model enable.</p>}
        rows={items}
        columns={[
          {
            name: 'Model',
            cell: ({ offer }) => (
              <>
                <a href={`/models/${offer.model.id}`}>{offer.model.name}</a>{' '}
                <span class="tag">{offer.variant.precision}</span>
              </>
            ),
          },
          { name: 'Prompt', number: true, cell: ({ price }) => `$${usdPerMillion(price.prompt)}` },
          { name: 'Answer', number: true, cell: ({ price }) => `$${usdPerMillion(price.completion)}` },
          { name: 'Context', number: true, cell: ({ offer }) => short(offer.variant.contextTokens) },
          { name: 'Hosts ready', number: true, cell: ({ hosts }) => hosts },
          { name: 'Licence', cell: ({ offer }) => <LicenceName offer={offer} /> },
        ]}
      />
      <p class="muted small">
        Prompts are answered on machines of other people. <a href="/privacy">What that means</a>.
      </p>
    </>
  )
}

function LicenceName({ offer: { model } }: Pick<Item, 'offer'>) {
  return (
    <>
      {model.licence.name.replace('LicenseRef-', '')}
      {effectiveClass(model) === 'B' && (
        <>
          {' '}
          <span class="tag warn">terms</span>
        </>
      )}
    </>
  )
}

export function model({ hub, url, params }: Visit): Page {
  const found = shelf(hub, params.id ?? '')
  if (!found) throw new HubError('model_not_found', 'This model is not on offer here.')
  return {
    title: found.model.name,
    description: `${found.model.id} by the token: price, hosts, context, precision and licence.`,
    body: <ModelPage shelf={found} publicUrl={hub.config.publicUrl || url.origin} />,
  }
}

export function ModelPage({ shelf: { model, variants }, publicUrl }: { shelf: Shelf; publicUrl: string }) {
  const [first] = variants
  if (!first) return <></>
  const { variant } = first.offer
  return (
    <>
      <Title
        note={
          <>
            <code>{model.id}</code> by {model.ownedBy} · {short(model.parameters.total)} parameters
            {model.parameters.active < model.parameters.total && `, ${short(model.parameters.active)} active`}
          </>
        }
      >
        {model.name}
      </Title>
      <Figures
        of={[
          { label: 'Prompt', value: `$${usdPerMillion(first.price.prompt)}`, note: 'per million tokens' },
          { label: 'Answer', value: `$${usdPerMillion(first.price.completion)}`, note: 'per million tokens' },
          {
            label: 'Hosts ready',
            value: variants.reduce((sum, { hosts }) => sum + hosts, 0),
            note: variants.length > 1 ? `over ${variants.length} precisions` : variant.precision,
          },
          {
            label: 'Context',
            value: short(variant.contextTokens),
            note: `answers up to ${short(variant.maxOutputTokens)} tokens`,
          },
        ]}
      />
      <Samples id="first-request" of={firstRequest(publicUrl, model.id)} />
      <p>
        <a href={`/client/playground?model=${encodeURIComponent(model.id)}`}>Ask it in the playground</a>
      </p>
      <Section title="Precisions" note="without a suffix the first is meant">
        <Table<Item>
          caption={`Precisions of ${model.name}`}
          empty={<p>None.</p>}
          rows={variants}
          columns={[
            { name: 'Id', cell: ({ offer }) => <code>{offer.id}</code> },
            { name: 'Prompt', number: true, cell: ({ price }) => `$${usdPerMillion(price.prompt)}` },
            { name: 'Answer', number: true, cell: ({ price }) => `$${usdPerMillion(price.completion)}` },
            { name: 'Hosts ready', number: true, cell: ({ hosts }) => hosts },
            {
              name: 'Weights',
              cell: ({ offer }) => <a href={`https://huggingface.co/${offer.variant.repo}`}>{offer.variant.repo}</a>,
            },
          ]}
        />
      </Section>
      <Section title="Licence">
        <div class="card stack">
          <p>
            <a href={model.licence.url}>{model.licence.name.replace('LicenseRef-', '')}</a>. {licenceNote(model)}
          </p>
          {model.bases.map((base) => (
            <p>
              Derived from <a href={`https://huggingface.co/${base.id}`}>{base.id}</a>, licence{' '}
              {base.licence.replace('LicenseRef-', '')}.
            </p>
          ))}
          {model.attribution.map((line) => (
            <p>
              <strong>{line}</strong>
            </p>
          ))}
          {model.aupUrl && (
            <p>
              Its publisher’s <a href={model.aupUrl}>use policy</a> applies to you.
            </p>
          )}
          <p class="muted small">
            The model is offered as it is available. Whether your use keeps to its licence is yours to see to:{' '}
            <a href="/licences">licences</a>.
          </p>
        </div>
      </Section>
    </>
  )
}
