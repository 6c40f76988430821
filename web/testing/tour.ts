// Every page somebody can look at, as addresses: made from the route table, so that a new page cannot be forgotten.
import type { Page } from 'playwright-core'
import { routes } from '../web.tsx'
import { PASSWORD, type RealHub } from './real-hub.ts'

/** What stands for the variable part of an address, by the address before it. */
export type Things = Record<string, string>

const NO_PAGE = /^\/dev\/gallery|\/live$|\.csv$|^\/account\/export$|^\/machines$/

export function addresses(things: Things): string[] {
  return routes
    .filter(({ method, path }) => method === 'GET' && !NO_PAGE.test(path))
    .map(({ path }) => {
      const variable = /[:*]\w+/.exec(path)
      if (!variable) return path
      const before = path.slice(0, variable.index)
      const thing = things[before]
      if (thing === undefined) throw new Error(`${path} names something: say in the tour which`)
      return before + thing + path.slice(variable.index + variable[0].length)
    })
}

export async function signIn(page: Page, hub: RealHub, email: string): Promise<void> {
  await page.goto(`${hub.url}/sign-in`)
  await page.fill('#email', email)
  await page.fill('#password', PASSWORD)
  await page.click('main button.primary')
  await page.waitForURL((url) => url.pathname !== '/sign-in')
}

/**
 * Somebody who is everything, with a key, a machine that answers, a request, and what the team has written down.
 * @returns what the addresses of their pages name
 */
export async function fullLife(hub: RealHub, page: Page, email: string): Promise<Things> {
  await hub.person(email, ['client', 'host', 'admin'], '5')
  const { token } = await hub.command<{ token: string }>(['host-token', 'add', email])
  await hub.startHost('atelier', token)
  const { id: keyId, key } = await hub.command<{ id: string; key: string }>(['key', 'add', email, '--name', 'web-app'])
  const ask = (stream: boolean) =>
    fetch(`${hub.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        model: 'gpuhub/emulator',
        stream,
        messages: [{ role: 'user', content: 'Why can a home GPU answer questions at night?' }],
      }),
    })
  const answers = await Promise.all([ask(true), ask(true), ask(false)])
  await Promise.all(answers.map((answer) => answer.text()))
  await signIn(page, hub, email)
  await page.goto(`${hub.url}/report-abuse`)
  await page.selectOption('#kind', 'fraud or spam')
  await page.fill('#text', 'Somebody sends messages that were written here.')
  await page.click('main button.primary')
  const report = await page.locator('main code').textContent()
  const hosts = await hub.command<{ id: string; name: string }[]>(['hosts'])
  const users = await hub.command<{ id: string; email: string }[]>(['user', 'list'])
  const host = hosts.find(({ name }) => name === 'atelier')?.id ?? ''
  return {
    '/models/': 'gpuhub/emulator',
    '/docs/': 'quickstart',
    '/client/keys/': keyId,
    '/client/requests/': answers[0]?.headers.get('x-request-id') ?? '',
    '/host/machines/': host,
    '/admin/fleet/': host,
    '/admin/users/': users.find((user) => user.email === email)?.id ?? '',
    '/admin/models/': 'gpuhub/emulator:emulated',
    '/admin/reports/': report ?? '',
  }
}
