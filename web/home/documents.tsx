// The documents, as they are in docs/: listed, searched, shown.
import { Marked } from 'marked'
import { HubError } from '../../hub/errors.ts'
import type { Document } from '../documents.macro.ts'
import { embeddedDocuments } from '../documents.macro.ts' with { type: 'macro' }
import { Title } from '../parts/heading.tsx'
import type { Page, Visit } from '../route.ts'

/** Macros give plain values: this is the array itself in the bundle. */
const documents: Document[] = embeddedDocuments() as unknown as Document[]

/** What a newcomer reads first stands first; whatever is not named here follows. */
const ORDER: { heading: string; slugs: string[] }[] = [
  { heading: 'Use the API', slugs: ['quickstart', 'streaming', 'errors', 'limits', 'prices', 'licences', 'accounts'] },
  {
    heading: 'Offer a GPU',
    slugs: [
      'hosting',
      'installing',
      'vast',
      'runpod',
      'several-gpus',
      'host-security',
      'hosts-and-failures',
      'engines',
      'gpu-checks',
    ],
  },
  {
    heading: 'Run a hub',
    slugs: ['self-hosting', 'releases', 'reliability', 'performance', 'chaos', 'simulation', 'decisions'],
  },
]
/** Texts of the hub itself have addresses of their own. */
const OWN_ADDRESS = new Set(['terms', 'privacy', 'acceptable-use'])

const marked = new Marked({ gfm: true })
marked.use({
  renderer: {
    heading({ tokens, depth, text }) {
      return `<h${depth} id="${anchor(text)}">${this.parser.parseInline(tokens)}</h${depth}>\n`
    },
    // Reached by keyboard, since a long line scrolls.
    code({ text }) {
      return `<pre tabindex="0"><code>${Bun.escapeHTML(text)}</code></pre>\n`
    },
    link({ href, tokens }) {
      return `<a href="${Bun.escapeHTML(address(href))}">${this.parser.parseInline(tokens)}</a>`
    },
  },
})

/** Rendered once: they do not change while the program runs. A wide table scrolls, so the keyboard has to get there. */
const rendered = new Map(
  documents.map(({ slug, markdown }) => {
    const html = marked.parse(markdown, { async: false })
    return [slug, html.replaceAll('<table>', '<table tabindex="0">')]
  }),
)

function anchor(text: string): string {
  const words = text.toLowerCase().replace(/[^a-z0-9]+/g, '-')
  return words.replace(/^-|-$/g, '')
}

/** Links between files become links between pages. */
function address(href: string): string {
  const file = /^(?:\.\/|docs\/)?([a-z0-9-]+)\.md(#.*)?$/.exec(href)
  if (!file) return href
  const [, slug = '', hash = ''] = file
  return `${OWN_ADDRESS.has(slug) ? '' : '/docs'}/${slug}${hash}`
}

export function documentIndex({ url }: Visit): Page {
  const query = (url.searchParams.get('q') ?? '').trim().slice(0, 100)
  return { title: 'Documentation', body: <DocumentIndex query={query} /> }
}

export function DocumentIndex({ query }: { query: string }) {
  return (
    <>
      <Title>Documentation</Title>
      <form class="filters" method="get" action="/docs" role="search">
        <div class="field">
          <label for="q">Search</label>
          <input id="q" name="q" type="search" value={query} maxLength={100} />
        </div>
        <button>Search</button>
      </form>
      {query === '' ? <Contents /> : <Found query={query} />}
    </>
  )
}

function Contents() {
  const named = new Set(ORDER.flatMap(({ slugs }) => slugs))
  const rest = documents.filter(({ slug }) => !named.has(slug) && !OWN_ADDRESS.has(slug)).map(({ slug }) => slug)
  const groups = [...ORDER, ...(rest.length > 0 ? [{ heading: 'More', slugs: rest }] : [])]
  return (
    <div class="columns">
      {groups.map(({ heading, slugs }) => (
        <div class="card stack">
          <h2>{heading}</h2>
          {slugs
            .map((slug) => documents.find((each) => each.slug === slug))
            .filter((each) => each !== undefined)
            .map(({ slug, title }) => (
              <a href={`/docs/${slug}`}>{title}</a>
            ))}
        </div>
      ))}
      <div class="card stack">
        <h2>API reference</h2>
        <a href="/docs/api">Every address, with its fields</a>
        <a href="/openapi.json">The same as an OpenAPI document</a>
      </div>
    </div>
  )
}

function Found({ query }: { query: string }) {
  const hits = search(query)
  if (hits.length === 0)
    return (
      <p>
        Nothing mentions “{query}”. Try one word, or read the <a href="/docs">list of pages</a>.
      </p>
    )
  return (
    <div class="stack">
      {hits.map(({ slug, title, excerpt }) => (
        <div class="card">
          <a href={`/docs/${slug}`}>{title}</a>
          <p class="muted small">{excerpt}</p>
        </div>
      ))}
    </div>
  )
}

/** Pages that hold every word, those with a word in the title first; at most twenty. */
export function search(query: string): { slug: string; title: string; excerpt: string }[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean)
  return documents
    .filter(({ markdown }) => words.every((word) => markdown.toLowerCase().includes(word)))
    .map(({ slug, title, markdown }) => {
      const at = markdown.toLowerCase().indexOf(words[0] ?? '')
      const excerpt = `…${markdown.slice(Math.max(0, at - 80), at + 120).replace(/[#*`|\s]+/g, ' ')}…`
      return { slug, title, excerpt, named: words.some((word) => title.toLowerCase().includes(word)) }
    })
    .sort((a, b) => Number(b.named) - Number(a.named))
    .slice(0, 20)
}

export function documentPage({ params }: Visit): Page {
  return textPage(params.slug ?? '')
}

/** One document as a page. @throws HubError 404 */
export function textPage(slug: string): Page {
  const document = documents.find((each) => each.slug === slug)
  const html = rendered.get(slug)
  if (!document || html === undefined) throw new HubError('not_found', 'There is no such page in the documentation.')
  return {
    title: document.title,
    // Ours, and rendered when the program starts: no word of it comes from a stranger.
    body: <article class="prose" dangerouslySetInnerHTML={{ __html: html }} />,
  }
}
