// Passwords: which are good enough, and their hashes. Hashing is slow and hungry on purpose, so only a few run at a time.
import { HubError } from '../errors.ts'

const SHORTEST = 10
const LONGEST = 200
/** OWASP's second choice for argon2id: 19 MiB, two passes. */
const COST = { algorithm: 'argon2id', memoryCost: 19_456, timeCost: 2 } as const
/** The hash of a password, at that cost, that nobody can have. */
const DECOY =
  '$argon2id$v=19$m=19456,t=2,p=1$JYw/92j7glnImHySO/8dKqYOm/A5O/DfEuHpujpZbVc$pWm1xyLIzPoHWChM6zyjq6n21O3EnCLaGZ8uRczV938'
const MOST_AT_ONCE = 4
const MOST_WAITING = 200

export class Passwords {
  private running = 0
  private readonly waiting: (() => void)[] = []

  /** @returns an argon2id hash in PHC form @throws HubError `hub_unavailable` when too many wait */
  hash(password: string): Promise<string> {
    return this.inTurn(() => Bun.password.hash(spelled(password), COST))
  }

  /**
   * Whether `password` is the one of `hash`. Takes as long for an account that does not exist (null), so that nobody
   * learns from a stopwatch who has one.
   */
  async verify(password: string, hash: string | null): Promise<boolean> {
    const text = spelled(password).slice(0, LONGEST)
    const right = await this.inTurn(() => Bun.password.verify(text, hash ?? DECOY))
    return hash !== null && right
  }

  private async inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.running >= MOST_AT_ONCE) {
      if (this.waiting.length >= MOST_WAITING) {
        throw new HubError('hub_unavailable', 'Too many people sign in at once. Try again in a few seconds.')
      }
      await new Promise<void>((resolve) => this.waiting.push(resolve))
    } else this.running++
    try {
      return await work()
    } finally {
      const next = this.waiting.shift()
      if (next) next()
      else this.running--
    }
  }
}

/** @throws HubError that says what a good one is */
export function checkPassword(password: string, email: string): void {
  const text = spelled(password)
  const refuse = (why: string) => {
    throw new HubError('invalid_request', why, { param: 'password' })
  }
  if (text.length < SHORTEST) refuse(`A password has at least ${SHORTEST} characters. A few words in a row are good.`)
  if (text.length > LONGEST) refuse(`A password has at most ${LONGEST} characters.`)
  if (isGuessable(text.toLowerCase(), email)) {
    refuse('This password is among the first that somebody would guess. Take another; a few words in a row are good.')
  }
}

/** The same key presses on every system. */
function spelled(password: string): string {
  return password.normalize('NFKC')
}

/** Of ten characters and more, the ones that lists of leaked passwords begin with; endings in digits and signs aside. */
const COMMON = new Set(
  `password passw0rd p@ssword p@ssw0rd qwerty qwertyuiop qwertyui qwertyuio asdfghjkl zxcvbnm iloveyou letmein welcome
   administrator admin changeme changeit trustno football baseball basketball superman sunshine princess starwars
   whatever michelle jennifer computer internet samsung google facebook gpuhub secret mysecret master unknown
   1qaz2wsx 1q2w3e4r 1q2w3e4r5t 1qaz2wsx3edc qazwsxedc qwer1234 abcd1234 abc123 aa123456 passwordpassword`.split(/\s+/),
)

function isGuessable(text: string, email: string): boolean {
  const [local = '', domain = ''] = email.split('@')
  const stem = text.replace(/^[\d\W_]+|[\d\W_]+$/g, '')
  const ownWords = [email, local, domain, domain.split('.')[0] ?? '']
  return (
    new Set(text).size < 4 ||
    isRun(text) ||
    COMMON.has(text) ||
    COMMON.has(stem) ||
    ownWords.includes(stem) ||
    stem === ''
  )
}

/** `1234567890`, `abcdefghijkl`, and the same downward. */
function isRun(text: string): boolean {
  const codes = Array.from(text, (character) => character.codePointAt(0) ?? 0)
  const steps = new Set(codes.slice(1).map((code, at) => code - (codes[at] ?? 0)))
  return steps.size === 1
}
