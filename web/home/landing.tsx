// The first page: what this is, proof that it works, what it costs, what a card would earn.
import { references } from '../../hub/market/references.ts'
import { usdPerMillion } from '../../sdk/money.ts'
import { Section } from '../parts/heading.tsx'
import { Samples } from '../parts/sample.tsx'
import { Table } from '../parts/table.tsx'
import type { Page, Visit } from '../route.ts'
import { type Item, type Shelf, shelves } from '../shop.ts'
import { Earn, readEarn } from './earn.tsx'
import { firstRequest } from './samples.ts'

export interface Landing {
  publicUrl: string
  shelves: Shelf[]
  earn: ReturnType<typeof readEarn>
}

export function landing({ hub, url }: Visit): Page {
  return {
    title: 'gpuhub',
    description: 'An OpenAI-compatible API for open models, answered by idle GPUs and priced by the token.',
    body: (
      <LandingPage
        publicUrl={hub.config.publicUrl || url.origin}
        shelves={shelves(hub)}
        earn={readEarn(hub, url.searchParams)}
      />
    ),
  }
}

export function LandingPage({ publicUrl, shelves, earn }: Landing) {
  const model = (shelves.find(({ variants }) => variants.some(({ hosts }) => hosts > 0)) ?? shelves[0])?.model.id
  return (
    <>
      <div class="hero">
        <div class="stack">
          <h1 class="lead">Open models, answered by GPUs that would idle.</h1>
          <p class="lead-text">
            Point the OpenAI SDK at this address and pay by the token. When a machine vanishes in mid-answer, another
            one goes on, and you pay for one answer.
          </p>
          <div class="row">
            <a class="button primary" href="/docs/quickstart">
              Get started
            </a>
            <a class="button" href="/models">
              See the models
            </a>
          </div>
        </div>
        <Samples id="first-request" of={firstRequest(publicUrl, model ?? 'Qwen/Qwen3-8B')} />
      </div>
      <Section title="Prices" note="USD per million tokens, now" side={<a href="/models">All models</a>}>
        <Table<Item | (typeof references)[number]>
          caption="Prices of the models on offer beside closed models"
          empty={<p>No model is on offer yet.</p>}
          rows={[...shelves.slice(0, 6).map(({ variants }) => variants[0]!), ...references]}
          columns={[
            {
              name: 'Model',
              cell: (row) =>
                'offer' in row ? (
                  <>
                    <a href={`/models/${row.offer.model.id}`}>{row.offer.model.name}</a>{' '}
                    <span class="tag">{row.offer.variant.precision}</span>
                  </>
                ) : (
                  <span class="muted">
                    {row.name} <span class="tag quiet">closed</span>
                  </span>
                ),
            },
            {
              name: 'Prompt',
              number: true,
              cell: (row) => ('offer' in row ? `$${usdPerMillion(row.price.prompt)}` : `$${row.promptUsd.toFixed(2)}`),
            },
            {
              name: 'Answer',
              number: true,
              cell: (row) =>
                'offer' in row ? `$${usdPerMillion(row.price.completion)}` : `$${row.completionUsd.toFixed(2)}`,
            },
            {
              name: 'Hosts ready',
              number: true,
              cell: (row) => ('offer' in row ? row.hosts : <span class="muted">–</span>),
            },
          ]}
        />
        <p class="muted small">
          Closed prices as their publishers gave them on {references[0]?.asOf}:{' '}
          {references.map(({ name, source }, i) => (
            <>
              {i > 0 && ', '}
              <a href={source}>{name}</a>
            </>
          ))}
          .
        </p>
      </Section>
      <Earn {...earn} />
    </>
  )
}
