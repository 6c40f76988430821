// Every request, with what it cost: filtered by state, model, key and day, page by page, as CSV.
import { HubError } from '../../hub/errors.ts'
import { listKeys } from '../../hub/identity/keys.ts'
import { requestOf, type RequestFilter, type RequestRow, searchRequests } from '../../hub/ledger/receipts.ts'
import { usdDecimal, usdPerMillion } from '../../sdk/money.ts'
import { Amount, milliseconds } from '../parts/amount.tsx'
import { SelectField, TextField } from '../parts/field.tsx'
import { Section, Title } from '../parts/heading.tsx'
import { When } from '../parts/when.tsx'
import type { MemberVisit, Page } from '../route.ts'
import { Model, Requests, type Row, rowOf } from './requests.tsx'

const PAGE = 50
const MOST_CSV = 100_000
const CSV_PAGE = 250
/** Rows read at a time, between which others have their turn. */
const CSV_LOOKS_AT = 500
const DAY_MS = 24 * 60 * 60 * 1_000
const STATES = ['completed', 'cancelled', 'failed', 'lost'] as const

export interface UsageView {
  rows: Row[]
  /** The id to go on before; null on the last page. */
  next: string | null
  /** The search stopped here, with the page not yet full; null: it did not stop. */
  lookedBackTo?: number | null
  /** As the address says. */
  query: { state: string; model: string; key: string; day: string }
  models: string[]
  keys: [id: string, name: string][]
}

export async function usage(visit: MemberVisit): Promise<Page> {
  const { hub, guest, url } = visit
  const userId = guest.user.id
  const { query, filter } = readFilter(url.searchParams)
  const [{ rows, ...found }, keys] = await Promise.all([
    searchRequests(hub.db, userId, { limit: PAGE, before: url.searchParams.get('before'), ...filter }),
    listKeys(hub.db, { userId, limit: 200 }),
  ])
  const names = new Map(keys.map(({ id, name }) => [id, name]))
  const view: UsageView = {
    rows: rows.map((row) => rowOf(row, names)),
    ...found,
    query,
    models: hub.offers.all().map(({ id }) => id),
    keys: keys.map(({ id, name }) => [id, name]),
  }
  return { title: 'Usage', body: <UsagePage {...view} /> }
}

function readFilter(search: URLSearchParams): { query: UsageView['query']; filter: RequestFilter } {
  const query = {
    state: search.get('state') ?? '',
    model: search.get('model') ?? '',
    key: search.get('key') ?? '',
    day: search.get('day') ?? '',
  }
  const day = Date.parse(`${query.day}T00:00:00Z`)
  return {
    query,
    filter: {
      state: STATES.find((state) => state === query.state),
      variant: query.model || undefined,
      keyId: query.key || undefined,
      ...(Number.isNaN(day) ? {} : { from: day, to: day + DAY_MS }),
    },
  }
}

export function UsagePage({ rows, next, lookedBackTo = null, query, models, keys }: UsageView) {
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== ''))
  const and = search.size > 0 ? `${search}&` : ''
  return (
    <>
      <div class="heading">
        <Title note="Every request, newest first. Costs are exact.">Usage</Title>
        <span class="side">
          <a href={`/client/usage.csv?${search}`}>Download as CSV</a>
        </span>
      </div>
      <form method="get" action="/client/usage" class="filters">
        <SelectField
          name="state"
          label="Outcome"
          value={query.state}
          options={[['', 'all'], ...STATES.map((state): [string, string] => [state, state])]}
        />
        <SelectField
          name="model"
          label="Model"
          value={query.model}
          options={[['', 'all'], ...models.map((id): [string, string] => [id, id])]}
        />
        <SelectField name="key" label="Key" value={query.key} options={[['', 'all'], ...keys]} />
        <TextField name="day" label="Day (UTC)" type="date" value={query.day} />
        <button>Show</button>
      </form>
      <Requests
        rows={rows}
        empty={
          lookedBackTo !== null ? (
            <p>Not among these.</p>
          ) : search.size > 0 ? (
            <p>
              No request is like that. <a href="/client/usage">Show all</a>
            </p>
          ) : (
            <p>Nothing was asked yet.</p>
          )
        }
      />
      {next !== null && (
        <p>
          {lookedBackTo !== null && (
            <>
              Looked back to <When at={lookedBackTo} exact />.{' '}
            </>
          )}
          <a href={`/client/usage?${and}before=${next}`}>{lookedBackTo === null ? 'Older' : 'Look further back'}</a>
        </p>
      )}
    </>
  )
}

/** The same rows for a spreadsheet, at most a hundred thousand, sent page by page. */
export function usageCsv({ hub, guest, url }: MemberVisit): Response {
  const { filter } = readFilter(url.searchParams)
  const encoder = new TextEncoder()
  let before: string | null = null
  let sent = 0
  let gone = false
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(encoder.encode(`${CSV_COLUMNS.join(',')}\r\n`)),
    async pull(controller) {
      // A pull that brings nothing is not repeated: look on until there is a line, or no more.
      while (!gone) {
        const search = { limit: CSV_PAGE, lookAt: CSV_LOOKS_AT, before, ...filter }
        const { rows, next } = await searchRequests(hub.db, guest.user.id, search)
        if (gone) return
        if (rows.length > 0) controller.enqueue(encoder.encode(rows.map(csvLine).join('')))
        sent += rows.length
        before = next
        if (next === null || sent >= MOST_CSV) return controller.close()
        if (rows.length > 0) return
        // Others come first.
        await new Promise((resolve) => setImmediate(resolve))
      }
    },
    cancel: () => void (gone = true),
  })
  return new Response(body, {
    headers: {
      'content-type': 'text/csv; charset=utf-8',
      'content-disposition': 'attachment; filename="gpuhub-usage.csv"',
      'cache-control': 'no-store',
    },
  })
}

const CSV_COLUMNS = [
  'id',
  'at',
  'model',
  'key',
  'state',
  'prompt_tokens',
  'completion_tokens',
  'price_prompt_usd_per_million',
  'price_completion_usd_per_million',
  'cost_usd',
  'attempts',
  'first_token_ms',
]

function csvLine(row: RequestRow): string {
  const cells = [
    row.id,
    new Date(row.at).toISOString(),
    row.variant,
    row.keyId,
    row.state,
    row.promptTokens,
    row.completionTokens,
    usdPerMillion(row.promptPicos),
    usdPerMillion(row.completionPicos),
    usdDecimal(row.cost),
    row.attempts,
    row.firstTokenMs ?? '',
  ]
  return `${cells.join(',')}\r\n`
}

export async function receiptPage({ hub, guest, params }: MemberVisit): Promise<Page> {
  const row = await requestOf(hub.db, guest.user.id, params.id ?? '')
  if (!row) throw new HubError('not_found', 'There is no such request of yours.')
  const keys = await listKeys(hub.db, { userId: guest.user.id, limit: 200 })
  const host = row.hostId === null ? null : hub.nameHost(row.hostId, `client:${guest.user.id}`)
  const view = { row, keyName: keys.find(({ id }) => id === row.keyId)?.name ?? '–', host }
  return { title: 'Receipt', body: <ReceiptPage {...view} /> }
}

export function ReceiptPage({ row, keyName, host }: { row: RequestRow; keyName: string; host: string | null }) {
  const facts: [string, preact.ComponentChildren][] = [
    ['Request', <code>{row.id}</code>],
    ['When', <When at={row.at} exact />],
    ['Model', <Model variant={row.variant} />],
    ['Key', keyName],
    ['Outcome', OUTCOME[row.state]],
    ...(row.errorCode ? [['Error', <code>{row.errorCode}</code>] as [string, preact.ComponentChildren]] : []),
    ['Prompt', `${row.promptTokens.toLocaleString('en-US')} tokens at $${usdPerMillion(row.promptPicos)} per million`],
    [
      'Answer',
      `${row.completionTokens.toLocaleString('en-US')} tokens at $${usdPerMillion(row.completionPicos)} per million`,
    ],
    ['Cost', <Amount of={row.cost} />],
    ['Of it, the host earned', <Amount of={row.hostShare} />],
    ['Of it, the fee', <Amount of={row.fee} />],
    ['Hosts asked', row.attempts],
    ...(host === null ? [] : [['Answered by', <code>{host}</code>] as [string, preact.ComponentChildren]]),
    ['First token', row.firstTokenMs === null ? '–' : `after ${milliseconds(row.firstTokenMs)}`],
    ['Whole answer', `after ${milliseconds(row.endedAt - row.at)}`],
  ]
  return (
    <>
      <Title note="Tokens are counted by the hub. Cost is rounded up once, to the next nano-dollar.">Receipt</Title>
      <Section title={<Amount of={row.cost} />}>
        <div class="card flush">
          <table>
            <tbody>
              {facts.map(([name, value]) => (
                <tr>
                  <th scope="row" class="muted">
                    {name}
                  </th>
                  <td>{value}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </Section>
      <p class="muted small">
        The signed receipt: <code>GET /api/v1/receipts/{row.id}</code>
      </p>
    </>
  )
}

const OUTCOME: Record<RequestRow['state'], string> = {
  completed: 'completed',
  cancelled: 'stopped by you: the prompt and the tokens written until then were billed',
  failed: 'failed, and so not billed',
  lost: 'the answer was lost on its way, and its cost refunded',
}
