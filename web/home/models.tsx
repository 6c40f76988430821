import { effectiveClass } from '../../hub/catalog/licence.ts'
import { HubError } from '../../hub/errors.ts'
import { trafficOf } from '../../hub/ledger/traffic.ts'
import { usdPerMillion } from '../../sdk/money.ts'
import { short } from '../parts/amount.tsx'
import { Figures } from '../parts/figures.tsx'
import { Section, Title } from '../parts/heading.tsx'
import { Samples } from '../parts/sample.tsx'
import { Table } from '../parts/table.tsx'
import type { Page, Visit } from '../route.ts'
import { licenceNote, type Item, type Shelf, shelf, shelves } from '../shop.ts'
import { firstRequest } from './samples.ts'

const DAY_MS = 24 * 60 * 60 * 1_000

/** Tokens a second of one answer after its first token, by variant, in 24 hours. */
export type Speeds = ReadonlyMap<string, number>

async function speedsOf({ hub }: Visit): Promise<Speeds> {
  const now = hub.env.now()
  const rows = await trafficOf(hub.db, 'everybody', { from: now - DAY_MS, to: now + 1, by: 'variant' })
  return new Map(
    rows.flatMap(({ group, tokensPerSecond }) => (tokensPerSecond === null ? [] : [[group, tokensPerSecond]])),
  )
}

function speedIn(speeds: Speeds, variant: string) {
  const speed = speeds.get(variant)
  return speed === undefined ? <span class="muted">–</span> : Math.round(speed)
}

export async function models(visit: Visit): Promise<Page> {
  return {
    title: 'Models',
    description: 'Open models on offer: price, hosts, speed, context, precision and licence.',
    body: <ModelsPage shelves={shelves(visit.hub)} speeds={await speedsOf(visit)} />,
  }
}

export function ModelsPage({ shelves, speeds }: { shelves: Shelf[]; speeds: Speeds }) {
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
          { name: 'Tokens/s', number: true, cell: ({ offer }) => speedIn(speeds, offer.id) },
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

export async function model(visit: Visit): Promise<Page> {
  const { hub, url, params } = visit
  const found = shelf(hub, params.id ?? '')
  if (!found) throw new HubError('model_not_found', 'This model is not on offer here.')
  return {
    title: found.model.name,
    description: `${found.model.id} by the token: price, hosts, context, precision and licence.`,
    body: <ModelPage shelf={found} speeds={await speedsOf(visit)} publicUrl={hub.config.publicUrl || url.origin} />,
  }
}

interface ModelView {
  shelf: Shelf
  speeds: Speeds
  publicUrl: string
}

export function ModelPage({ shelf: { model, variants }, speeds, publicUrl }: ModelView) {
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
            { name: 'Tokens/s', number: true, cell: ({ offer }) => speedIn(speeds, offer.id) },
            {
              name: 'Weights',
              cell: ({ offer }) => <a href={`https://huggingface.co/${offer.variant.repo}`}>{offer.variant.repo}</a>,
            },
          ]}
        />
      </Section>
      <p class="muted small">
        Tokens a second are of one answer after its first token, in 24 hours. Your prompt is processed on a machine of
        somebody else, who could read it: <a href="/privacy">what that means</a>.
      </p>
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
