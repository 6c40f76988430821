// What a page cannot do without a script: times in the reader's zone, and copying. Everything else works without.
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'always', style: 'narrow' })
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' })
const steps = [[60, 'second'], [60, 'minute'], [24, 'hour'], [30, 'day'], [12, 'month'], [Infinity, 'year']]

function ago(at) {
  let span = (at - Date.now()) / 1000
  if (Math.abs(span) < 2) return 'now'
  for (const [size, unit] of steps) {
    if (Math.abs(span) < size) return relative.format(Math.trunc(span), unit)
    span /= size
  }
}

function localise(root) {
  for (const time of root.querySelectorAll('time[datetime]')) {
    const at = new Date(time.dateTime)
    time.title = exact.format(at)
    time.textContent = time.dataset.as === 'exact' ? exact.format(at) : ago(at)
  }
}

localise(document)
// A narrow bar scrolls: where one is has to be in view.
document.querySelector('.bar nav [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' })
setInterval(() => localise(document), 15_000)
document.addEventListener('htmx:after:swap', () => localise(document))
document.addEventListener('click', async ({ target }) => {
  const button = target.closest?.('[data-copy]')
  if (!button) return
  const wanted = document.querySelector(button.dataset.copy)
  const shown = [...wanted.querySelectorAll('pre')].find((pre) => pre.offsetParent) ?? wanted
  await navigator.clipboard.writeText(shown.textContent.trim())
  const before = button.textContent
  button.textContent = 'Copied'
  setTimeout(() => (button.textContent = before), 1_500)
})
