// The letters a hub writes: plain functions, each as text and as simple HTML that says the same.

export interface Letter {
  kind: string
  subject: string
  text: string
  html: string
  /** Where its reader switches this kind of letter off; left out: it always comes. */
  off?: string
}

interface Draft {
  kind: string
  subject: string
  paragraphs: string[]
  /** What the letter asks to do. */
  action?: { label: string; url: string }
  /** Small print. */
  after?: string[]
}

const NOT_YOU = 'If you did not ask for this, do nothing: without this link nothing happens.'
const NOT_YOU_DONE = 'If this was not you, reset your password at once and look at your sessions.'

export function confirmSignUp(url: string): Letter {
  return letter({
    kind: 'confirm-sign-up',
    subject: 'Confirm your address',
    paragraphs: ['Somebody, we think you, signed up to gpuhub with this address. Confirm it to begin.'],
    action: { label: 'Confirm my address', url },
    after: [
      'The link works once, for 24 hours, in the browser you signed up with; elsewhere it asks for your password.',
      NOT_YOU,
    ],
  })
}

/** To somebody who has an account, when their address signs up again. Strangers must not learn that it exists. */
export function alreadyHere({ signIn, reset }: { signIn: string; reset: string }): Letter {
  return letter({
    kind: 'already-here',
    subject: 'You already have an account',
    paragraphs: [
      'Somebody, we think you, tried to sign up to gpuhub with this address. It has an account already, and nothing was changed.',
      `If you forgot your password, choose another: ${reset}`,
    ],
    action: { label: 'Sign in', url: signIn },
    after: ['If it was not you, do nothing.'],
  })
}

export function resetPassword(url: string): Letter {
  return letter({
    kind: 'reset-password',
    subject: 'Choose a new password',
    paragraphs: ['Somebody, we think you, asked for a new password for your account at gpuhub.'],
    action: { label: 'Choose a new password', url },
    after: ['The link works once, for an hour. When it is used, every browser is signed out.', NOT_YOU],
  })
}

export function passwordChanged(): Letter {
  return letter({
    kind: 'password-changed',
    subject: 'Your password was changed',
    paragraphs: ['The password of your account at gpuhub was changed, and all other browsers were signed out.'],
    after: [NOT_YOU_DONE],
  })
}

export function invitation(to: { url: string; roles: string[]; credit: string | null; days: number }): Letter {
  const as = to.roles.includes('host') && !to.roles.includes('client') ? 'to offer your GPU on' : 'to use'
  const credit = to.credit === null ? '' : ` You start with ${to.credit} of credit.`
  return letter({
    kind: 'invitation',
    subject: 'You are invited to gpuhub',
    paragraphs: [`You are invited ${as} gpuhub: open models, answered by idle GPUs, paid by the token.${credit}`],
    action: { label: 'Accept the invitation', url: to.url },
    after: [`The link works once, for ${to.days} days.`],
  })
}

export function changeEmail(url: string): Letter {
  return letter({
    kind: 'change-email',
    subject: 'Confirm your new address',
    paragraphs: ['Somebody, we think you, wants to use this address for their account at gpuhub.'],
    action: { label: 'Use this address', url },
    after: ['The link works once, for 24 hours.', NOT_YOU],
  })
}

export function emailChanged(): Letter {
  return letter({
    kind: 'email-changed',
    subject: 'Your address was changed',
    paragraphs: ['Your account at gpuhub now has another address; letters no longer come here.'],
    after: ['If this was not you, write to the people who run the hub at once.'],
  })
}

export function secondFactorChanged(state: 'on' | 'off'): Letter {
  return letter({
    kind: 'second-factor-changed',
    subject: `Signing in with a code is ${state}`,
    paragraphs: [
      state === 'on'
        ? 'From now on your account at gpuhub asks for a code of your authenticator app after the password.'
        : 'Your account at gpuhub no longer asks for a code after the password.',
    ],
    after: [NOT_YOU_DONE],
  })
}

export function secondFactorGuessed(): Letter {
  return letter({
    kind: 'second-factor-guessed',
    subject: 'Somebody knows your password',
    paragraphs: [
      'Somebody gave the right password for your account at gpuhub, and then five wrong codes. They did not get in.',
    ],
    after: ['If this was not you, reset your password: whoever it is knows the one you have.'],
  })
}

export function recoveryCodeUsed(left: number): Letter {
  return letter({
    kind: 'recovery-code-used',
    subject: 'A recovery code was used',
    paragraphs: [
      `Somebody, we think you, signed in to gpuhub with a recovery code. ${left === 0 ? 'None is' : left === 1 ? 'One is' : `${left} are`} left; you can make new ones.`,
    ],
    after: [NOT_YOU_DONE],
  })
}

export function machineJoined({ name, url }: { name: string; url: string }): Letter {
  return letter({
    kind: 'machine-joined',
    subject: 'A machine joined your account',
    paragraphs: [`The machine “${name}” may now serve on gpuhub and earn for your account.`],
    action: { label: 'See your machines', url },
    after: ['If you did not approve it, revoke its token there and change your password.'],
  })
}

/** Where a letter of news leads, where its reader chooses what they want, and where they switch this kind off. */
export interface Links {
  hub: string
  settings: string
  off: string
}

export function creditLow({ balance, ...links }: Links & { balance: string }): Letter {
  return news(links, {
    kind: 'credit-low',
    subject: `Your credit is down to ${balance}`,
    paragraphs: [
      `${balance} of credit is left on your account at gpuhub. When it is used up, requests are refused with 402 insufficient_quota.`,
    ],
    action: { label: 'See your account', url: `${links.hub}/client` },
  })
}

export function keyBudget({
  name,
  hint,
  spent,
  budget,
  ...links
}: Links & Record<'name' | 'hint' | 'spent' | 'budget', string>): Letter {
  return news(links, {
    kind: 'key-budget',
    subject: `The budget of the key “${name}” is used up`,
    paragraphs: [
      `The key “${name}” (…${hint}) has spent ${spent} of its budget of ${budget}. Requests that could cost more are refused with 402 key_budget_exceeded.`,
    ],
    action: { label: 'See your keys', url: `${links.hub}/client/keys` },
  })
}

export function machineOffline({
  id,
  name,
  hours,
  ...links
}: Links & { id: string; name: string; hours: number }): Letter {
  return news(links, {
    kind: 'machine-offline',
    subject: `${name} has been away for ${hours} hours`,
    paragraphs: [
      `The connection to your machine “${name}” was lost, and it has not come back for ${hours} hours. Look whether it has power and a network; on it, gpuhost status and gpuhost doctor say more.`,
    ],
    action: { label: 'See the machine', url: `${links.hub}/host/machines/${id}` },
    after: ['A machine that you stop yourself is not missed.'],
  })
}

export function machineQuarantined({
  id,
  name,
  reason,
  ...links
}: Links & { id: string; name: string; reason: string }): Letter {
  return news(links, {
    kind: 'machine-quarantined',
    subject: `${name} is kept from requests`,
    paragraphs: [
      `The people who run this hub keep your machine “${name}” from requests: ${reason}.`,
      'What it has earned stays yours. Answer to this letter, or write to them, if you think that they are wrong.',
    ],
    action: { label: 'See the machine', url: `${links.hub}/host/machines/${id}` },
  })
}

export function networkBelow({
  id,
  name,
  words,
  ...links
}: Links & { id: string; name: string; words: string }): Letter {
  return news(links, {
    kind: 'network-below',
    subject: `The network of ${name} is below the minimum`,
    paragraphs: [`Your machine “${name}” gets no requests for now. ${words}`],
    action: { label: 'See the machine', url: `${links.hub}/host/machines/${id}` },
  })
}

export function updateFailed({
  id,
  name,
  version,
  agent,
  ...links
}: Links & Record<'id' | 'name' | 'version' | 'agent', string>): Letter {
  return news(links, {
    kind: 'update-failed',
    subject: `${name} could not be updated`,
    paragraphs: [
      `gpuhost ${version} did not start or did not reach the hub on your machine “${name}”, which went back to ${agent} by itself and serves. It tries again in a day; gpuhost logs says what went wrong, gpuhost update tries at once.`,
    ],
    action: { label: 'See the machine', url: `${links.hub}/host/machines/${id}` },
  })
}

export function alarmRaised({ text, href, ...links }: Links & { text: string; href: string }): Letter {
  return news(links, {
    kind: 'alarm',
    subject: text,
    paragraphs: [`${text}.`],
    action: { label: 'Look at it', url: links.hub + href },
  })
}

function news({ settings, off }: Links, draft: Draft): Letter {
  const after = [
    ...(draft.after ?? []),
    `Of one thing you get at most one letter in a day. Choose what you want: ${settings}`,
    `No more of this kind, without signing in: ${off}`,
  ]
  return { ...letter({ ...draft, after }), off }
}

export function erased(): Letter {
  return letter({
    kind: 'erased',
    subject: 'Your account is deleted',
    paragraphs: [
      'Your account at gpuhub is deleted: your address, names, sessions and ways to sign in are gone, and your keys no longer work.',
      'What was booked stays in the books, without your name.',
    ],
  })
}

function letter({ kind, subject, paragraphs, action, after = [] }: Draft): Letter {
  const lines = [...paragraphs, ...(action ? [`${action.label}:\n${action.url}`] : []), ...after]
  const html = [
    ...paragraphs.map((text) => `<p>${escaped(text)}</p>`),
    ...(action
      ? [`<p><a href="${escaped(action.url)}">${escaped(action.label)}</a></p><p>${escaped(action.url)}</p>`]
      : []),
    ...after.map((text) => `<p><small>${escaped(text)}</small></p>`),
  ]
  return {
    kind,
    subject,
    text: `${lines.join('\n\n')}\n`,
    html: `<!doctype html><meta charset="utf-8"><title>${escaped(subject)}</title>${html.join('')}`,
  }
}

function escaped(text: string): string {
  return Bun.escapeHTML(text)
}
