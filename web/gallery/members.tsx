// Pages of clients, owners and everybody who is signed in.
import { newsKinds, type NewsKind } from '../../hub/mail/news-kinds.ts'
import { AccountPage, type AccountView, NewEmailPage } from '../account/account.tsx'
import { assets } from '../assets.ts'
import { LettersOffPage } from '../account/letters-off.tsx'
import { LimitsPage, NO_LIMITS } from '../client/key-limits.tsx'
import { KeysPage } from '../client/keys.tsx'
import { LicencesPage } from '../client/licences.tsx'
import { type Overview, OverviewPage } from '../client/overview.tsx'
import { PlaygroundPage } from '../client/playground.tsx'
import { ReceiptPage, UsagePage } from '../client/usage.tsx'
import { MachinePage } from '../host/machine.tsx'
import { MachinesPage } from '../host/machines.tsx'
import { NewMachinePage } from '../host/new-machine.tsx'
import { type HostOverview, HostOverviewPage } from '../host/overview.tsx'
import { daysOf } from '../parts/period.tsx'
import type { Exhibit } from './exhibit.ts'
import {
  DAY_MS,
  failures,
  HOSTILE,
  host,
  hosts,
  LONG,
  machines,
  MODEL,
  NOW,
  period,
  request,
  rows,
  shelves,
  traffic,
  URL_OF_HUB,
  user,
  VARIANT,
  worth,
  worths,
  LEAST,
  checks,
} from './samples.ts'

const days = daysOf(period)

const overview: Overview = {
  ...{ period, balance: 0n, held: 0n, total: null },
  spend: days.map((at) => ({ at, parts: [] })),
  ...{ spendNames: [], byModel: [], byKey: [], latest: [], hasKeys: false, publicUrl: URL_OF_HUB, model: MODEL },
}
const fullOverview: Overview = {
  ...overview,
  ...{ balance: 4_312_000_000n, held: 21_000_000n, total: traffic('', 7) },
  spend: days.map((at, i) => ({ at, parts: [200_000_000n * BigInt(i), 100_000_000n, 3_000_000n] })),
  spendNames: ['Qwen3-8B', HOSTILE, 'others'],
  byModel: [traffic(VARIANT, 3), traffic(HOSTILE)],
  byKey: [
    { ...traffic('key_1', 2), name: LONG },
    { ...traffic('key_2'), name: HOSTILE },
  ],
  ...{ latest: rows, hasKeys: true },
}

const hostOverview: HostOverview = {
  ...{
    period,
    balance: 0n,
    worths: [],
    lastHour: null,
    total: null,
    machines: [],
    all: 0,
    ready: 0,
    byModel: [],
    popular: [],
  },
  steps: days.map((at) => ({ at, earned: 0n })),
}
const fullHostOverview: HostOverview = {
  ...{
    period,
    balance: 31_415_926_535n,
    worths,
    lastHour: traffic(''),
    total: traffic('', 7),
    machines,
    all: 120,
    ready: 98,
  },
  ...{ byModel: [traffic(VARIANT, 3)], popular: [{ variant: VARIANT, requests: 98_123, hosts: 12 }] },
  steps: days.map((at, i) => ({ at, earned: 1_100_000_000n * BigInt(7 - i) })),
}

const keys = [
  { id: 'key_1', name: LONG, revokedAt: null },
  { id: 'key_2', name: HOSTILE, revokedAt: null },
  { id: 'key_3', name: 'old', revokedAt: NOW - DAY_MS },
].map((key) => ({
  ...{ ...key, userId: user().id, hint: 'x7Qa', createdAt: NOW - 3 * DAY_MS, spent: 1_230_000_000n },
  ...{ budget: null, expiresAt: null, expired: false, models: null },
}))
const limitedKeys = keys.map((key, i) => ({
  ...{ ...key, budget: { limit: 5_000_000_000n, spent: 2_500_000_000n * BigInt(i) } },
  ...{ expiresAt: NOW + (1 - i) * DAY_MS, expired: i > 0 },
  models: [VARIANT, HOSTILE].slice(i % 2),
}))

const account: AccountView = {
  ...{ email: 'ada@example.com', name: '', terms: [], waysIn: { password: true, github: false, google: false } },
  ...{ secondFactor: { on: false, codesLeft: 0 }, sessions: [], mayBecome: [] },
  news: (Object.keys(newsKinds) as NewsKind[]).map((kind, i) => ({ kind, wanted: i % 2 === 0 })),
}
const session = {
  ...{ id: 'ses_1', userId: user().id, createdAt: NOW - DAY_MS, seenAt: NOW - 60_000, provedAt: NOW, current: true },
  ...{ address: '203.0.113.7', agent: HOSTILE },
}

const query = { state: '', model: '', key: '', day: '' }
const keyNames: [string, string][] = [
  ['key_1', LONG],
  ['key_2', HOSTILE],
]

export const memberExhibits: Exhibit[] = [
  { name: 'client-overview-empty', body: <OverviewPage {...overview} /> },
  { name: 'client-overview', body: <OverviewPage {...fullOverview} /> },
  { name: 'keys-empty', body: <KeysPage keys={[]} /> },
  {
    name: 'keys',
    body: (
      <KeysPage
        keys={[...limitedKeys, ...keys]}
        fresh={{ name: HOSTILE, key: 'gh_shown_once', publicUrl: URL_OF_HUB, model: MODEL }}
      />
    ),
  },
  {
    name: 'keys-wrong',
    body: (
      <KeysPage
        keys={keys}
        typed={{ name: LONG, budget: HOSTILE, expires: '2026-01-01', models: HOSTILE }}
        faults={{
          name: 'A key’s name is too long.',
          budget: 'That is no amount.',
          expires: 'That day is over.',
          models: 'There is no such model.',
        }}
      />
    ),
  },
  {
    name: 'letters-off',
    body: <LettersOffPage off={{ of: 'usr_1', kind: 'credit-low', mark: HOSTILE }} done={false} />,
  },
  { name: 'letters-off-done', body: <LettersOffPage off={{ of: 'usr_1', kind: HOSTILE, mark: '' }} done /> },
  { name: 'key-limits', body: <LimitsPage of={{ key: keys[0]!, typed: NO_LIMITS }} /> },
  {
    name: 'key-limits-wrong',
    body: (
      <LimitsPage
        of={{
          key: keys[1]!,
          typed: { budget: HOSTILE, expires: '2026-01-01', models: `${VARIANT}\n${HOSTILE}` },
          faults: { budget: 'That is no amount.', expires: 'That day is over.', models: 'There is no such model.' },
        }}
      />
    ),
  },
  { name: 'usage-empty', body: <UsagePage rows={[]} next={null} query={query} models={[]} keys={[]} /> },
  {
    name: 'usage',
    body: (
      <UsagePage
        rows={rows}
        next="req_5"
        query={{ ...query, state: 'completed', key: 'key_2' }}
        models={[VARIANT]}
        keys={keyNames}
      />
    ),
  },
  { name: 'receipt', body: <ReceiptPage row={request({ attempts: 2 })} keyName={LONG} host="host_1" /> },
  {
    name: 'receipt-failed',
    body: (
      <ReceiptPage
        row={request({ state: 'failed', errorCode: 'no_host', firstTokenMs: null })}
        keyName="x"
        host={null}
      />
    ),
  },
  { name: 'playground-empty', body: <PlaygroundPage items={[]} model="" publicUrl={URL_OF_HUB} /> },
  {
    name: 'playground',
    body: <PlaygroundPage items={shelves.flatMap(({ variants }) => variants)} model={VARIANT} publicUrl={URL_OF_HUB} />,
    scripts: [assets.playground],
  },
  { name: 'licences-empty', body: <LicencesPage asked={[]} /> },
  {
    name: 'licences',
    body: (
      <LicencesPage
        asked={shelves
          .slice(1)
          .flatMap(({ variants }) => variants.map(({ offer }, i) => ({ offer, at: i ? NOW : null })))}
        sent="meta-llama/Llama-3.1-8B-Instruct"
        faults={{ '': 'Each of the statements has to be true. Nothing was acknowledged.' }}
      />
    ),
  },
  { name: 'host-overview-empty', body: <HostOverviewPage {...hostOverview} /> },
  { name: 'host-overview', body: <HostOverviewPage {...fullHostOverview} /> },
  {
    name: 'machines-empty',
    body: <MachinesPage machines={[]} all={0} query={{ state: '', search: '' }} next={null} />,
  },
  {
    name: 'machines',
    body: (
      <MachinesPage
        machines={machines}
        all={120}
        query={{ state: '', search: HOSTILE }}
        next={{ seenAt: NOW, id: HOSTILE }}
      />
    ),
  },
  {
    name: 'machines-none-like-that',
    body: <MachinesPage machines={[]} all={120} query={{ state: 'ready', search: HOSTILE }} next={null} />,
  },
  ...machines.map((machine, i) => ({
    name: `machine-${machine.host.network?.state === 'below' ? 'below-network' : machine.host.state}`,
    body: (
      <MachinePage
        {...machine}
        host={hosts[i] ?? host()}
        failures={i === 0 ? [] : failures}
        least={LEAST}
        checks={i === 1 ? [] : checks}
        worth={i === 0 ? null : worth}
      />
    ),
  })),
  { name: 'new-machine', body: <NewMachinePage publicUrl={URL_OF_HUB} /> },
  { name: 'new-machine-token', body: <NewMachinePage publicUrl={URL_OF_HUB} token="gph_shown_once" /> },
  { name: 'account', body: <AccountPage {...account} /> },
  {
    name: 'account-full',
    body: (
      <AccountPage
        {...account}
        name={HOSTILE}
        terms={[{ role: 'client', version: '2', accepted: false, demanded: true }]}
        waysIn={{ password: true, github: true, google: true }}
        secondFactor={{ on: true, codesLeft: 7 }}
        recoveryCodes={['ABCD-EFGH', 'JKLM-NPQR']}
        sessions={[session, { ...session, id: 'ses_2', current: false, agent: '' }]}
        mayBecome={[{ role: 'host', version: '1' }]}
        sent="password"
        faults={{ '': 'That is not your password.', password: 'At least 10 characters.' }}
      />
    ),
  },
  {
    name: 'account-second-factor',
    body: (
      <AccountPage
        {...account}
        begun={{ secret: 'JBSWY3DPEHPK3PXP', uri: 'otpauth://totp/gpuhub:ada@example.com?secret=JBSWY3DPEHPK3PXP' }}
      />
    ),
  },
  { name: 'new-email', body: <NewEmailPage ticket="x" faults={{ '': 'This link is used.' }} /> },
]
