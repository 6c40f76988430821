// Makes the people's side of a hub, once.
import type { Config } from '../config.ts'
import { Newsroom, sweepNews } from '../mail/news.ts'
import { Outbox, sweepMails } from '../mail/outbox.ts'
import { smtpPost } from '../mail/smtp.ts'
import { Callers } from './caller.ts'
import { payGifts } from './gifts.ts'
import type { Identity } from './identity.ts'
import { Limits } from './limits.ts'
import { Passwords } from './passwords.ts'
import { openProviders } from './providers.ts'
import { sweepSessions } from './sessions.ts'
import { sweepTickets } from './tickets.ts'

type Given = Pick<Identity, 'env' | 'db' | 'log' | 'seal' | 'policy' | 'url' | 'credit'>

export function openIdentity(given: Given, config: Config): { identity: Identity; close(): Promise<void> } {
  const { env, db, log, url, seal } = given
  const letterMark = (text: string) => seal.name('letters', text)
  const smtp = config.smtpUrl === '' ? null : smtpPost(config.smtpUrl, config.mailFrom || sender(url()))
  const outbox = new Outbox({ env, db, log, post: smtp?.post ?? null })
  outbox.start()
  return {
    identity: {
      ...given,
      outbox,
      letterMark,
      news: new Newsroom({ env, db, log, outbox, url, mark: letterMark }),
      callers: new Callers(config.trustedProxies, config.countryHeader),
      limits: new Limits(env),
      passwords: new Passwords(),
      providers: openProviders(env, config, (address, init) => fetch(address, init)),
    },
    async close() {
      await outbox.close()
      smtp?.close()
    },
  }
}

/** What is done beside the requests; each says how much there was to do. */
export function identityJobs(identity: Identity): { name: string; everyMs: number; run(): Promise<number> }[] {
  const { env, db } = identity
  return [
    { name: 'give what was promised', everyMs: 30_000, run: () => payGifts(identity) },
    {
      name: 'forget old tickets, sessions and letters',
      everyMs: 60 * 60_000,
      async run() {
        await sweepTickets(env, db)
        await sweepSessions(env, db)
        await sweepMails(env, db)
        await sweepNews(env, db)
        return 0
      },
    },
  ]
}

function sender(url: string): string {
  return `gpuhub <no-reply@${new URL(url).hostname}>`
}
