// What the addresses for people take and give. Times are ISO 8601 in UTC, amounts decimal strings, as everywhere.
import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { t } from 'elysia'
import { page } from '../../../sdk/api.ts'

const text = (maxLength: number, description: string) => Type.String({ maxLength, description })
const orNull = <T extends TSchema>(schema: T, description: string) => Type.Union([schema, Type.Null()], { description })
const oneOf = <const T extends string>(values: readonly T[], description: string) =>
  Type.Unsafe<T>(
    Type.Union(
      values.map((value) => Type.Literal(value)),
      { description },
    ),
  )

const Email = text(254, 'An address of mail.')
const Password = text(400, 'At least 10 characters.')
const CurrentPassword = Type.Optional(text(400, 'The current password; without one, sign in again shortly before.'))
const Ticket = text(100, 'The secret in the link.')
const Code = text(40, 'Six digits of the authenticator app, or a recovery code.')
const RoleName = oneOf(['client', 'host', 'admin'], 'A role.')
const TermsRoleName = oneOf(['client', 'host'], 'A role that has terms.')
const Time = (description: string) => Type.String({ description: `${description} ISO 8601, UTC.` })

const AcceptedTerms = Type.Object(
  { client: Type.Optional(text(40, 'Version.')), host: Type.Optional(text(40, 'Version.')) },
  { description: 'The version of the terms accepted, by role. `GET /api/v1/terms` has those in force.' },
)

const wish = {
  country: text(2, 'Where you live, ISO 3166-1.'),
  terms: AcceptedTerms,
  invitation: Type.Optional(text(100, 'The secret of an invitation.')),
  role: Type.Optional(oneOf(['client', 'host'], 'Without an invitation: what you want to be. Default: client.')),
  name: Type.Optional(text(80, 'What to call you.')),
}

export const SignUp = Type.Object({ email: Email, password: Password, ...wish })
export const SignUpWith = Type.Object({ ticket: Ticket, ...wish })
export const SignedUp = Type.Object({
  next: oneOf(['done', 'confirm'], '`done`: signed in. `confirm`: a letter with a link is on its way.'),
})
export const ConfirmSignUp = Type.Object({
  ticket: Ticket,
  password: Type.Optional(text(400, 'The one chosen; asked for in another browser than the one that signed up.')),
})
export const SignIn = Type.Object({ email: Email, password: text(400, 'Your password.') })
export const SigningIn = Type.Object({
  next: oneOf(['done', 'second_factor'], '`done`: signed in. `second_factor`: send a code with the ticket.'),
  ticket: orNull(Type.String(), 'Goes with the code; ten minutes.'),
})
export const SignInCode = Type.Object({ ticket: Ticket, code: Code })
export const AskReset = Type.Object({ email: Email })
export const FinishReset = Type.Object({ ticket: Ticket, password: Password })
export const FirstAdmin = Type.Object({ ticket: Ticket, email: Email, password: Password })
export const Done = Type.Object({ done: Type.Literal(true) })
export const Sent = Type.Object({ sent: Type.Literal(true, { description: 'If there is somebody to send it to.' }) })

export const InvitationSecret = Type.Object({ invitation: text(100, 'The secret in the link.') })
export const OpenInvitation = Type.Object({
  email: orNull(Type.String(), 'The only address it is for.'),
  roles: Type.Array(RoleName),
  credit: Type.String({ description: 'USD, decimal.' }),
  expiresAt: Time('Until when it can be used.'),
})
export const Roles = Type.Object({ roles: Type.Array(RoleName, { minItems: 1, maxItems: 3 }) })

export const TermsState = Type.Object({
  role: TermsRoleName,
  version: text(40, 'In force.'),
  accepted: Type.Boolean(),
  demanded: Type.Boolean({ description: 'Not accepted, and by now the API answers 403 `terms_not_accepted`.' }),
})
export const TermsInForce = Type.Object({ client: text(40, 'Version.'), host: text(40, 'Version.') })
export const AcceptTerms = Type.Object({ role: TermsRoleName, version: text(40, 'The one that was read.') })
export const TermsList = Type.Object({ data: Type.Array(TermsState) })

export const Own = Type.Object({
  id: Type.String(),
  email: Type.String(),
  name: orNull(Type.String(), 'What to call you.'),
  country: orNull(Type.String(), 'ISO 3166-1.'),
  roles: Type.Array(RoleName),
  hat: RoleName,
  choosesHat: Type.Boolean({ description: 'Several roles, and never asked whose pages to show.' }),
  terms: Type.Array(TermsState),
  secondFactor: Type.Boolean(),
  recoveryCodesLeft: Type.Integer(),
  waysIn: Type.Object({ password: Type.Boolean(), github: Type.Boolean(), google: Type.Boolean() }),
  session: Type.String({ description: 'The id of this session.' }),
})
export const ChangeOwn = Type.Object({ name: Type.Optional(text(200, 'Empty: none.')), hat: Type.Optional(RoleName) })
export const AddRole = Type.Object({ role: TermsRoleName, terms: AcceptedTerms })
export const ChangePassword = Type.Object({ current: CurrentPassword, password: Password })
export const ChangeEmail = Type.Object({ current: CurrentPassword, email: Email })
export const TicketOnly = Type.Object({ ticket: Ticket })
export const Proof = Type.Object({ current: CurrentPassword })
export const Deletion = Type.Object({ current: CurrentPassword, email: text(254, 'Your own address, to be sure.') })
export const EmailOnly = Type.Object({ email: Type.String() })

export const SessionRow = Type.Object({
  id: Type.String(),
  current: Type.Boolean(),
  createdAt: Time('Signed in.'),
  seenAt: Time('Last seen, to a few minutes.'),
  address: Type.String({ description: 'Network address at sign-in.' }),
  agent: Type.String({ description: 'The browser, in its own words.' }),
})
export const SessionList = Type.Object({ data: Type.Array(SessionRow) })

export const SecondFactor = Type.Object({
  secret: Type.String({ description: 'Base32, to be typed.' }),
  uri: Type.String({ description: '`otpauth://…`, for a QR code.' }),
})
export const CodeOnly = Type.Object({ code: Code })
export const RecoveryCodes = Type.Object({ recoveryCodes: Type.Array(Type.String()) })

export const DeviceCode = Type.Object({ code: text(40, 'As the machine shows it, with its dash or without.') })
export const DeviceRow = Type.Object({
  id: Type.String({ description: 'For approval or refusal.' }),
  name: Type.String({ description: 'What the machine calls itself.' }),
  gpu: Type.String({ description: 'What it says its GPU is.' }),
  agent: Type.String({ description: 'Version of its agent.' }),
  address: Type.String({ description: 'The network address it asked from.' }),
  place: orNull(Type.String(), 'Where that is, as far as anybody says.'),
  askedAt: Time('When.'),
  expiresAt: Time('Until when it can be decided.'),
})

export const Setting = Type.Object({
  name: Type.String(),
  value: Type.Unknown(),
  fallback: Type.Unknown({ description: 'Its default.' }),
  description: Type.String(),
})
export const SettingList = Type.Object({ data: Type.Array(Setting) })
export const ChangeSettings = Type.Record(Type.String({ maxLength: 40 }), Type.Unknown(), {
  description: 'Names and new values; null goes back to the default.',
})

export const PageQuery = Type.Object({
  // Elysia makes numbers of an address's text only where the schema is its own.
  limit: t.Optional(t.Integer({ minimum: 1, maximum: 200, description: 'Rows at most. Default 50.' })),
  before: Type.Optional(text(200, '`next` of the page before.')),
})
export type PageQuery = Static<typeof PageQuery>
export const ActsQuery = Type.Composite([
  PageQuery,
  Type.Object({ subject: Type.Optional(text(200, 'Only its acts.')) }),
])
export const ActPage = page(
  Type.Object({
    id: Type.String(),
    at: Time('When.'),
    by: orNull(Type.String(), 'The admin’s user id; null: the command line.'),
    what: Type.String(),
    subject: Type.String(),
    before: Type.Unknown(),
    after: Type.Unknown(),
  }),
)

export const PeopleQuery = Type.Object({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200 })),
  before: Type.Optional(text(200, '`next` of the page before; oldest first.')),
  search: Type.Optional(text(254, 'Part of an address or a name, or a whole id.')),
  role: Type.Optional(RoleName),
  state: Type.Optional(oneOf(['active', 'suspended'], 'Only these.')),
})
export const Person = Type.Object({
  id: Type.String(),
  email: Type.String(),
  name: orNull(Type.String(), 'What to call them.'),
  country: orNull(Type.String(), 'ISO 3166-1.'),
  roles: Type.Array(RoleName),
  createdAt: Time('Joined.'),
  suspendedAt: orNull(Type.String(), 'Since when.'),
  suspendedFor: orNull(Type.String(), 'Why, as they are told.'),
})
export const Suspend = Type.Object({
  reason: text(200, 'Why. They read it where they are refused, and it is on record: name nobody else.'),
})
export const PersonPage = page(Person)
export const GiveCredit = Type.Object({
  amount: Type.String({ pattern: '^\\d{1,6}(\\.\\d{1,9})?$', description: 'USD, decimal.' }),
  note: text(200, 'Why; their statement shows it.'),
  key: Type.String({ minLength: 8, maxLength: 80, description: 'The same key gives once, however often it is sent.' }),
})
export const GivenCredit = Type.Object({ first: Type.Boolean({ description: 'False: this key was given before.' }) })
export const ResetLink = Type.Object({ link: Type.String({ description: 'Good once, for an hour.' }) })

export const NewInvitation = Type.Object({
  email: Type.Optional(Email),
  roles: Type.Array(TermsRoleName, { minItems: 1, maxItems: 2 }),
  credit: Type.Optional(
    Type.String({ pattern: '^\\d{1,6}(\\.\\d{1,9})?$', description: 'USD; default: the trial credit.' }),
  ),
})
export const InvitationRow = Type.Object({
  id: Type.String(),
  hint: Type.String({ description: 'The last four characters of its secret.' }),
  email: orNull(Type.String(), 'The only address it is for.'),
  roles: Type.Array(RoleName),
  credit: Type.String({ description: 'USD, decimal.' }),
  state: oneOf(['open', 'used', 'expired', 'revoked'], 'What became of it.'),
  createdAt: Time('Made.'),
  expiresAt: Time('Until when it can be used.'),
  usedBy: orNull(Type.String(), 'A user’s id.'),
})
export const InvitationPage = page(InvitationRow)
export const MadeInvitation = Type.Composite([
  InvitationRow,
  Type.Object({ link: Type.String({ description: 'Shown this once.' }) }),
])

export const MailRow = Type.Object({
  id: Type.String(),
  kind: Type.String(),
  recipient: Type.String(),
  subject: Type.String(),
  text: orNull(Type.String(), 'Kept only while the letter is not sent.'),
  state: oneOf(['waiting', 'sent', 'given up', 'not sent'], '`not sent`: this hub has no mail server.'),
  tries: Type.Integer(),
  error: orNull(Type.String(), 'What the mail server said last.'),
  createdAt: Time('Written.'),
  sentAt: orNull(Type.String(), 'Taken by the mail server.'),
})
export const MailPage = page(MailRow)
