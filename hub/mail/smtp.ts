// A mail server, spoken to by SMTP.
import { createTransport } from 'nodemailer'
import { LetterRefused, type Post } from './outbox.ts'

const WAIT_MS = 20_000
const AT_ONCE = 3

/** `url`: `smtp://user:password@host:587` or `smtps://…`; `from`: an address, with a name or without. */
export function smtpPost(url: string, from: string): { post: Post; close(): void } {
  const transport = createTransport({
    url,
    pool: true,
    maxConnections: AT_ONCE,
    connectionTimeout: WAIT_MS,
    greetingTimeout: WAIT_MS,
    socketTimeout: WAIT_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  return {
    post: async (to, { subject, text, html, off }) => {
      try {
        await transport.sendMail({ from, to, subject, text, html, headers: off === undefined ? {} : offHeaders(off) })
      } catch (error) {
        throw isFinal(error) ? new LetterRefused((error as Error).message, { cause: error }) : error
      }
    },
    close: () => transport.close(),
  }
}

/** What a mail program's own button asks: in one click (RFC 8058), which is for https alone, or by the page (RFC 2369). */
function offHeaders(url: string): Record<string, string> {
  const oneClick: Record<string, string> = url.startsWith('https:')
    ? { 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' }
    : {}
  return { 'List-Unsubscribe': `<${url}>`, ...oneClick }
}

/** The server knows the address and does not want the letter. Everything else may pass. */
function isFinal(error: unknown): boolean {
  const { code, responseCode } = error as { code?: string; responseCode?: number }
  return code === 'EENVELOPE' && responseCode !== undefined && responseCode >= 500
}
