// Pages that strangers see, and those that let them in.
import { DeviceAsks, DevicePage } from '../account/device.tsx'
import { ChooseHat, CodePage, ForgottenPage, LetterSent, PasswordPage, SignInPage } from '../account/sign-in.tsx'
import { ConfirmPage, FirstAdminPage, SignUpPage, type SignUpView } from '../account/sign-up.tsx'
import { DocumentIndex } from '../home/documents.tsx'
import { LandingPage } from '../home/landing.tsx'
import { ModelPage, ModelsPage } from '../home/models.tsx'
import { ReportAbusePage, Reported } from '../home/report.tsx'
import { StatusPage } from '../home/status.tsx'
import type { Exhibit } from './exhibit.ts'
import { DAY_MS, HOSTILE, NOW, shelf, shelves, speeds, traffic, URL_OF_HUB } from './samples.ts'

const providers = [
  { name: 'github', title: 'GitHub' },
  { name: 'google', title: 'Google' },
]
const signUp: SignUpView = {
  invitation: { email: 'ada@example.com', roles: ['client', 'host'], credit: 5_000_000_000n },
  ...{ secret: 'ghi_x', ticket: '', open: { client: false, host: false }, role: 'client', providers },
  versions: { client: '1', host: '1' },
}
const earn = { card: 'RTX 4090', hours: 8, busy: 50, kilowattHour: 0.17 }
const days = Array.from({ length: 30 }, (_, i) => NOW - (29 - i) * DAY_MS)

export const openExhibits: Exhibit[] = [
  {
    name: 'landing-empty',
    body: <LandingPage publicUrl={URL_OF_HUB} shelves={[]} earn={{ ...earn, estimates: [] }} />,
  },
  {
    name: 'landing',
    body: (
      <LandingPage
        publicUrl={URL_OF_HUB}
        shelves={shelves}
        earn={{
          ...earn,
          estimates: [
            { model: 'Qwen3 8B', net: 1.24, earned: 1.61, electricity: 0.37 },
            { model: 'Llama 3.1 8B', net: -0.1, earned: 0.27, electricity: 0.37 },
          ],
        }}
      />
    ),
  },
  { name: 'models-empty', body: <ModelsPage shelves={[]} speeds={new Map()} /> },
  { name: 'models', body: <ModelsPage shelves={shelves} speeds={speeds} /> },
  { name: 'model', body: <ModelPage shelf={shelf('Qwen/Qwen3-8B')} speeds={speeds} publicUrl={URL_OF_HUB} /> },
  {
    name: 'model-with-terms',
    body: <ModelPage shelf={shelf('meta-llama/Llama-3.1-8B-Instruct', 0)} speeds={new Map()} publicUrl={URL_OF_HUB} />,
  },
  {
    name: 'status-empty',
    body: (
      <StatusPage
        hosts={0}
        lastDay={null}
        firstTokenMs={null}
        days={days.map((at) => ({ at, traffic: null }))}
        incidents={[]}
      />
    ),
  },
  {
    name: 'status',
    body: (
      <StatusPage
        hosts={42}
        lastDay={traffic('', 40)}
        firstTokenMs={231}
        days={days.map((at, i) => ({ at, traffic: i < 3 ? null : traffic(String(at), 10 + i) }))}
        incidents={[{ ...traffic(String(NOW - DAY_MS)), failed: 300 }]}
      />
    ),
  },
  { name: 'documents', body: <DocumentIndex query="" /> },
  { name: 'documents-found', body: <DocumentIndex query="stream" /> },
  { name: 'documents-nothing', body: <DocumentIndex query={HOSTILE} /> },
  { name: 'report-abuse', body: <ReportAbusePage typed={{ kind: '', about: '', text: '', contact: '' }} /> },
  {
    name: 'report-abuse-wrong',
    body: (
      <ReportAbusePage
        typed={{ kind: 'other', about: HOSTILE, text: HOSTILE, contact: HOSTILE }}
        faults={{ '': 'Too many reports. Try again in 20 minutes.', text: 'Say in a sentence or two what happened.' }}
      />
    ),
  },
  { name: 'reported', body: <Reported id="report_01m8afvdz2n4na6pkdzd5zsd9s" /> },
  { name: 'sign-in', body: <SignInPage next="/" providers={[]} /> },
  {
    name: 'sign-in-wrong',
    body: (
      <SignInPage
        next="/"
        email={HOSTILE}
        providers={providers}
        faults={{ '': 'That address and password do not belong together.' }}
        problem="Signing in that way did not work. Try again, or use your password."
      />
    ),
  },
  { name: 'code', body: <CodePage ticket="x" next="/" /> },
  { name: 'choose-hat', body: <ChooseHat roles={['client', 'host', 'admin']} /> },
  { name: 'forgotten', body: <ForgottenPage /> },
  { name: 'letter-sent', body: <LetterSent email={HOSTILE} what="a link" /> },
  { name: 'password', body: <PasswordPage ticket="x" /> },
  { name: 'password-wrong', body: <PasswordPage ticket="x" faults={{ password: 'At least 10 characters.' }} /> },
  { name: 'sign-up-closed', body: <SignUpPage {...signUp} invitation={null} secret="" /> },
  { name: 'sign-up', body: <SignUpPage {...signUp} /> },
  {
    name: 'sign-up-wrong',
    body: (
      <SignUpPage
        {...signUp}
        typed={{ email: HOSTILE, country: 'XX' }}
        faults={{ '': 'Accept the terms to go on.', country: 'This hub is not open to people there.' }}
      />
    ),
  },
  { name: 'confirm', body: <ConfirmPage ticket="x" elsewhere={false} /> },
  { name: 'confirm-elsewhere', body: <ConfirmPage ticket="x" elsewhere faults={{ '': 'This link is used.' }} /> },
  { name: 'first-admin', body: <FirstAdminPage ticket="x" /> },
  { name: 'device', body: <DevicePage /> },
  {
    name: 'device-invited',
    body: <DevicePage invitation={HOSTILE} faults={{ invitation: 'This invitation is not valid.' }} />,
  },
  { name: 'device-wrong', body: <DevicePage code={HOSTILE} faults={{ '': 'No machine waits with this code.' }} /> },
  {
    name: 'device-asks',
    body: (
      <DeviceAsks
        machine={{
          ...{ id: 'dev_1', name: HOSTILE, gpu: 'NVIDIA RTX 4090', agent: 'gpuhost 0.1', address: '203.0.113.7' },
          ...{ place: 'Berlin, DE', askedAt: NOW - 60_000, expiresAt: NOW + 540_000 },
        }}
      />
    ),
  },
]
