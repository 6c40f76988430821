// "What would my card earn tonight?" A form that needs no script and no account.
import type { Platform } from '../../hub/gateway/platform.ts'
import { cards, nightUsd } from '../../sdk/earnings.ts'
import { Figures } from '../parts/figures.tsx'
import { Section } from '../parts/heading.tsx'

interface Estimate {
  model: string
  net: number
  earned: number
  electricity: number
}

export interface Earning {
  card: string
  hours: number
  busy: number
  kilowattHour: number
  /** The best first. */
  estimates: Estimate[]
}

/** What the form says; nonsense becomes the default. */
export function readEarn(hub: Platform, query: URLSearchParams): Earning {
  const card = cards.find(({ name }) => name === query.get('card')) ?? cards[1]!
  const hours = within(query.get('hours'), 1, 24) ?? 8
  const busy = within(query.get('busy'), 1, 100) ?? 50
  const kilowattHour = within(query.get('kilowatt_hour'), 0, 2) ?? 0.17
  const estimates = hub.offers
    .all()
    .filter(({ model, variant }) => variant === model.variants[0] && card.tokensPerSecond[model.id] !== undefined)
    .map((offer) => ({
      model: offer.model.name,
      ...nightUsd({
        tokensPerSecond: card.tokensPerSecond[offer.model.id] ?? 0,
        watts: card.watts,
        busy: busy / 100,
        hours,
        priceUsd: hub.prices.current(offer).completion / 1e6,
        feePpm: hub.config.feePpm,
        kilowattHourUsd: kilowattHour,
      }),
    }))
    .sort((a, b) => b.net - a.net)
  return { card: card.name, hours, busy, kilowattHour, estimates }
}

function within(text: string | null, least: number, most: number): number | null {
  const value = Number(text)
  return text !== null && text !== '' && value >= least && value <= most ? value : null
}

const usd = (amount: number) => `${amount < 0 ? '-' : ''}$${Math.abs(amount).toFixed(2)}`

export function Earn({ card, hours, busy, kilowattHour, estimates }: Earning) {
  return (
    <Section title="What would my card earn?" note="an estimate at today’s prices">
      <form class="filters" method="get" action="/#earn" id="earn">
        <div class="field">
          <label for="card">Card</label>
          <select id="card" name="card">
            {cards.map(({ name }) => (
              <option value={name} selected={name === card}>
                {name}
              </option>
            ))}
          </select>
        </div>
        <div class="field">
          <label for="hours">Hours a night</label>
          <input id="hours" name="hours" type="number" min="1" max="24" step="1" value={hours} />
        </div>
        <div class="field">
          <label for="busy">Busy, %</label>
          <input id="busy" name="busy" type="number" min="1" max="100" step="1" value={busy} />
        </div>
        <div class="field">
          <label for="kilowatt_hour">Electricity, $/kWh</label>
          <input
            id="kilowatt_hour"
            name="kilowatt_hour"
            type="number"
            min="0"
            max="2"
            step="0.01"
            value={kilowattHour}
          />
        </div>
        <button>Estimate</button>
      </form>
      {estimates.length > 0 ? (
        <Figures
          of={estimates.slice(0, 3).map(({ model, net, earned, electricity }) => ({
            label: `${model}, a night`,
            value: <span class={net < 0 ? 'bad' : undefined}>{usd(net)}</span>,
            note: `${usd(earned)} earned − ${usd(electricity)} electricity`,
          }))}
        />
      ) : (
        <p class="muted">For the models on offer here, nothing is published about this card.</p>
      )}
      <p class="muted small">
        From published throughput of vLLM with a full engine; how busy a card is depends on demand. The card comes back
        within ten seconds when you want it. <a href="/docs/hosts-and-failures">How a host is judged</a>
      </p>
    </Section>
  )
}
