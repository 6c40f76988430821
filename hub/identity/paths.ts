// Where links in letters lead. Pages answer at these addresses; a GET of them changes nothing, so that a mail program that
// looks ahead uses nobody's ticket up: the page's form posts it.

export const paths = {
  signIn: '/sign-in',
  secondFactor: (ticket: string) => `/sign-in/code?ticket=${ticket}`,
  signUp: '/sign-up',
  invitation: (secret: string) => `/sign-up?invitation=${secret}`,
  /** After a provider has named somebody who is no user yet. */
  signUpWith: (ticket: string, invitation: string | null) =>
    `/sign-up?ticket=${ticket}${invitation === null ? '' : `&invitation=${encodeURIComponent(invitation)}`}`,
  confirmSignUp: (ticket: string) => `/sign-up/confirm?ticket=${ticket}`,
  forgotPassword: '/password/forgotten',
  resetPassword: (ticket: string) => `/password?ticket=${ticket}`,
  changeEmail: (ticket: string) => `/account/email?ticket=${ticket}`,
  firstAdmin: (ticket: string) => `/first-admin?ticket=${ticket}`,
  /** Where the code that a machine shows is typed. */
  device: '/device',
  /** For somebody who is no owner of hosts yet. */
  deviceWith: (invitation: string) => `/device?invitation=${encodeURIComponent(invitation)}`,
  machines: '/machines',
  account: '/account',
  terms: '/terms',
} as const

/** A path on this hub that may be gone to after signing in; anything that could lead elsewhere becomes `/`. */
export function safeNext(text: string | null | undefined): string {
  return text && /^\/(?![/\\])[\w\-./?=&%~+:@,]{0,500}$/.test(text) ? text : '/'
}
