// The team's pages.
import { everyOffer, whyNot } from '../../hub/catalog/find.ts'
import type { Invitation } from '../../hub/identity/invitations.ts'
import type { Mail } from '../../hub/mail/outbox.ts'
import type { Report } from '../../hub/policy/reports.ts'
import { defaults, listSettings } from '../../hub/policy/settings.ts'
import { FleetHostPage, FleetPage } from '../admin/fleet.tsx'
import { ImportPage } from '../admin/import.tsx'
import { LedgerPage } from '../admin/ledger.tsx'
import { AdminModelPage, AdminModelsPage } from '../admin/models.tsx'
import { type AdminOverview, AdminOverviewPage } from '../admin/overview.tsx'
import { InvitationsPage, UserPage, UsersPage } from '../admin/people.tsx'
import { ReportPage, ReportsPage } from '../admin/reports.tsx'
import { ActsPage, LettersPage, SettingsPage } from '../admin/settings.tsx'
import { daysOf } from '../parts/period.tsx'
import type { Exhibit } from './exhibit.ts'
import {
  checks,
  DAY_MS,
  failures,
  host,
  hosts,
  HOSTILE,
  LEAST,
  LONG,
  NOW,
  period,
  slow,
  traffic,
  user,
  VARIANT,
  worth,
  worths,
} from './samples.ts'

const days = daysOf(period)
const overview: AdminOverview = {
  ...{ period, running: 0, total: null, byModel: [], hosts: { all: 0, ready: 0 }, worths: [], alarms: [] },
  steps: days.map((at) => ({ at, traffic: null })),
}
const fullOverview: AdminOverview = {
  ...{ period, running: 312, total: traffic('', 70), byModel: [{ ...traffic(VARIANT, 3), hosts: 12 }] },
  hosts: { all: 1_204, ready: 831 },
  worths,
  steps: days.map((at, i) => ({ at, traffic: traffic(String(at), i + 1) })),
  alarms: [
    { id: 'notice-1', text: `${HOSTILE}: cloned`, href: '/admin/fleet' },
    { id: 'abuse-reports', text: '2 new abuse reports', href: '/admin/reports' },
  ],
}

const report: Report = {
  ...{ id: 'report_01m8afvdz2n4na6pkdzd5zsd9s', at: NOW - DAY_MS, kind: 'fraud or spam', about: HOSTILE },
  ...{ text: `First line.\n${HOSTILE}\n${LONG}${LONG}`, contact: 'somebody@example.com', state: 'new', note: '' },
  changedAt: NOW,
}

const invitation: Invitation = {
  ...{ id: 'inv_1', hint: 'a7Qx', email: 'ada@example.com', roles: ['client'], credit: 5_000_000_000n },
  ...{ createdAt: NOW - DAY_MS, expiresAt: NOW + DAY_MS, usedAt: null, usedBy: null, revokedAt: null },
}
const invitations: Invitation[] = [
  invitation,
  { ...invitation, id: 'inv_2', email: null, usedAt: NOW },
  { ...invitation, id: 'inv_3', revokedAt: NOW },
  { ...invitation, id: 'inv_4', email: 'somebody.with.a.long.name@mail.example.com', expiresAt: NOW - 1 },
]

const mail: Mail = {
  ...{ id: 'mail_1', kind: 'reset', recipient: 'ada@example.com', subject: HOSTILE, text: HOSTILE },
  ...{ createdAt: NOW - DAY_MS, tries: 1, nextAt: NOW, sentAt: null, error: null },
}

const models = everyOffer().map((offer, i) => ({
  ...{ offer, enabled: i < 2, hosts: i, why: whyNot(offer) },
  price: { prompt: offer.variant.startPrice.promptPicos, completion: offer.variant.startPrice.completionPicos },
}))
const [firstModel] = models
const typedImport = { model: 'Qwen/Qwen3-4B', revision: '', licenceRead: false }
const refused = models.find(({ why }) => why !== null)

const lines = [
  { posting: 'pst_1', kind: 'usage' as const, note: HOSTILE, at: NOW, amount: 72_700n },
  { posting: 'pst_2', kind: 'usage' as const, note: LONG, at: NOW - DAY_MS, amount: -1_000_000_000n },
]
const check = {
  ...{ ok: true, sum: 0n, accounts: 12, postings: 3_400, requests: 3_398, openHolds: 2, granted: 21_000_000n },
  problems: [],
}
const hostView = {
  failures: [],
  checks,
  missing: '12 of 500 answers',
  note: '',
  unvettedPercent: 5,
  least: LEAST,
  worth,
}
const query = { state: '', vetting: '', search: '' }
const people = [user(), user({ id: 'usr_2', email: 'somebody.with.a.long.name@mail.example.com', suspendedAt: NOW })]

export const teamExhibits: Exhibit[] = [
  { name: 'admin-overview-empty', body: <AdminOverviewPage {...overview} /> },
  { name: 'admin-overview', body: <AdminOverviewPage {...fullOverview} /> },
  { name: 'fleet-empty', body: <FleetPage hosts={[]} all={0} query={query} next={null} /> },
  {
    name: 'fleet',
    body: (
      <FleetPage hosts={hosts} all={1_204} query={{ ...query, search: HOSTILE }} next={{ seenAt: NOW, id: 'host_1' }} />
    ),
  },
  { name: 'fleet-host', body: <FleetHostPage host={host()} {...hostView} /> },
  {
    name: 'fleet-host-quarantined',
    body: <FleetHostPage host={hosts[1] ?? host()} {...hostView} failures={failures} note={HOSTILE} />,
  },
  { name: 'fleet-host-below', body: <FleetHostPage host={host({ network: slow })} {...hostView} /> },
  {
    name: 'fleet-host-wrong',
    body: (
      <FleetHostPage
        host={host({ vetted: false })}
        {...hostView}
        sent={{ form: 'quarantine', typed: HOSTILE }}
        faults={{ reason: 'Say why, in at most 200 characters.' }}
      />
    ),
  },
  { name: 'users-empty', body: <UsersPage users={[]} query={{ search: 'x', role: '', state: '' }} next={null} /> },
  { name: 'users', body: <UsersPage users={people} query={{ search: '', role: '', state: '' }} next="usr_2" /> },
  { name: 'user', body: <UserPage user={user()} balance={4_312_000_000n} granted={0n} creditKey="k" /> },
  {
    name: 'user-suspended',
    body: (
      <UserPage
        user={user({ suspendedAt: NOW, suspendedFor: HOSTILE, country: null })}
        balance={0n}
        granted={21_000_000n}
        creditKey="k"
        link="https://hub.example.com/password?ticket=ght_shown_once"
        sent="credit"
        faults={{ '': 'Nothing was given.', amount: 'An amount is like 5.00.' }}
      />
    ),
  },
  { name: 'invitations-empty', body: <InvitationsPage invitations={[]} next={null} now={NOW} trialCredit="5.00" /> },
  {
    name: 'invitations',
    body: (
      <InvitationsPage
        invitations={invitations}
        next="inv_4"
        now={NOW}
        trialCredit="5.00"
        link="https://hub.example.com/sign-up?invitation=ghi_shown_once"
        typed={{ email: HOSTILE, credit: 'x' }}
        faults={{ email: 'That is no address.', amount: 'An amount is like 5.00.' }}
      />
    ),
  },
  { name: 'admin-models-empty', body: <AdminModelsPage rows={[]} query={{ search: HOSTILE, show: '' }} /> },
  { name: 'admin-models', body: <AdminModelsPage rows={models} query={{ search: '', show: '' }} /> },
  { name: 'import', body: <ImportPage typed={typedImport} /> },
  {
    name: 'import-found',
    body: <ImportPage typed={typedImport} found={{ record: firstModel!.offer.model, against: [] }} />,
  },
  {
    name: 'import-refused',
    body: (
      <ImportPage
        typed={{ ...typedImport, model: HOSTILE, licenceRead: true }}
        found={{ record: firstModel!.offer.model, against: [`Its architecture, ${HOSTILE}, is none.`, LONG] }}
        faults={{ model: 'Name a HuggingFace repository, like Qwen/Qwen3-8B.' }}
      />
    ),
  },
  ...[firstModel, refused]
    .filter((model) => model !== undefined)
    .map((model, i) => ({
      name: `admin-model-${i === 0 ? 'on' : 'refused'}`,
      body: (
        <AdminModelPage
          {...model}
          fallback={{ prompt: 1, completion: 1 }}
          faults={i === 0 ? undefined : { prompt: 'A price is USD per million tokens, like 0.10.' }}
        />
      ),
    })),
  {
    name: 'ledger-empty',
    body: <LedgerPage platform={[]} account="platform:fees" lines={[]} next={null} check={null} />,
  },
  {
    name: 'ledger',
    body: (
      <LedgerPage
        platform={[{ account: 'platform:fees', balance: 12_345_678_901n }]}
        account={HOSTILE}
        lines={lines}
        next={{ at: NOW, posting: 'pst_2' }}
        check={check}
      />
    ),
  },
  {
    name: 'ledger-wrong',
    body: (
      <LedgerPage
        platform={[]}
        account="platform:fees"
        lines={lines}
        next={null}
        check={{ ...check, ok: false, sum: 1n, problems: [{ what: 'a posting does not sum to zero', id: 'pst_1' }] }}
      />
    ),
  },
  { name: 'reports-empty', body: <ReportsPage reports={[]} state="" next={null} /> },
  {
    name: 'reports',
    body: <ReportsPage reports={[report, { ...report, id: 'report_2', state: 'closed' }]} state="" next="report_2" />,
  },
  { name: 'report', body: <ReportPage report={report} faults={{ note: 'That is longer than 5000 characters.' }} /> },
  { name: 'settings', body: <SettingsPage rows={listSettings(defaults)} webhookKey="a-key" /> },
  {
    name: 'settings-wrong',
    body: (
      <SettingsPage
        rows={listSettings({ ...defaults, trialCredit: '2.50' })}
        webhookKey="a-key"
        sent={{ name: 'trialCredit', typed: HOSTILE }}
        faults={{ '': '"trialCredit" cannot be that.' }}
      />
    ),
  },
  { name: 'acts-empty', body: <ActsPage acts={[]} next={null} /> },
  {
    name: 'acts',
    body: (
      <ActsPage
        acts={[
          { id: 'act_1', at: NOW, by: 'command line', what: 'setting.change', subject: 'x', before: HOSTILE, after: 1 },
          { id: 'act_2', at: NOW, by: { userId: 'usr_1' }, what: 'host.vet', subject: LONG, before: null, after: null },
        ]}
        next="act_2"
      />
    ),
  },
  { name: 'letters-empty', body: <LettersPage mails={[]} next={null} /> },
  {
    name: 'letters',
    body: (
      <LettersPage
        mails={[mail, { ...mail, id: 'mail_2', text: null, sentAt: NOW }, { ...mail, id: 'mail_3', error: HOSTILE }]}
        next="mail_3"
      />
    ),
  },
]
