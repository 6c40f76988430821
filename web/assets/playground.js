// The playground: asks, and shows the answer while it comes. What a model says becomes text, never markup.
const form = document.querySelector('#playground')
if (form) begin()

function begin() {
  const by = (id) => document.querySelector(`#${id}`)
  const talk = by('talk')
  const empty = talk.firstElementChild
  const samples = [...document.querySelectorAll('#code pre code')]
  let messages = []
  let asking = null
  let spent = 0

  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void ask()
  })
  form.addEventListener('input', sayCode)
  form.model.addEventListener('change', () => {
    for (const price of by('play-price').children) price.hidden = price.dataset.model !== form.model.value
  })
  by('question').addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.requestSubmit()
  })
  by('stop').addEventListener('click', () => asking?.abort())
  by('renew').addEventListener('click', () => {
    asking?.abort()
    messages = []
    spent = 0
    talk.replaceChildren(empty)
    for (const figure of ['play-tokens', 'play-cost', 'play-speed', 'play-first']) by(figure).textContent = '–'
    by('play-cost-note').textContent = 'this answer'
    say('')
    sayCode()
    by('question').focus()
  })
  sayCode()

  async function ask() {
    const question = by('question').value.trim()
    if (asking || question === '') return
    const before = messages
    const controller = new AbortController()
    asking = controller
    messages = [...messages, { role: 'user', content: question }]
    empty.remove()
    const mine = show('You', question)
    const answer = show(form.model.selectedOptions[0].textContent.trim(), '')
    by('question').value = ''
    switching(true)
    say('Waiting for the first token…')
    const outcome = await run(controller, answer).catch((error) => ({ failed: error }))
    if (asking === controller) asking = null
    switching(asking !== null)
    if (controller.signal.aborted && messages.length === 0) return
    if (outcome.text) messages = [...messages, { role: 'assistant', content: outcome.text }]
    else {
      // Nothing came: the question goes back to where it was typed.
      messages = before
      mine.part.remove()
      if (by('question').value === '') by('question').value = question
      if (controller.signal.aborted) answer.part.remove()
    }
    if (outcome.failed && !controller.signal.aborted) answer.fail(outcome.failed.message)
    if (outcome.id) answer.foot(outcome.id, outcome.line)
    say(controller.signal.aborted ? 'Stopped. The prompt and the tokens written until then are billed.' : '')
    sayCode()
    by('question').focus()
  }

  /** @returns what came, even if it did not end well */
  async function run(controller, answer) {
    const askedAt = performance.now()
    const outcome = { text: '', id: null, line: '', failed: null }
    try {
      const response = await fetch(form.action, { method: 'POST', body: body(), signal: controller.signal })
      outcome.id = response.headers.get('x-request-id')
      if (!response.ok) throw new Error(await complaint(response))
      const price = Number(response.headers.get('x-gpuhub-price-completion'))
      let tokens = 0
      let firstAt = null
      let usage = null
      for await (const event of events(response.body)) {
        if (event.error) throw new Error(event.error.message)
        if (event.usage) usage = event.usage
        const words = event.choices?.[0]?.delta?.content
        if (!words) continue
        tokens++
        if (firstAt === null) {
          firstAt = performance.now()
          by('play-first').textContent = `${Math.round(firstAt - askedAt)} ms`
          say('Answering…')
        }
        outcome.text += words
        answer.write(outcome.text)
        figures(tokens, (tokens * price) / 1e6, performance.now() - firstAt, 'so far, without the prompt')
      }
      if (usage) {
        spent += usage.cost
        const seconds = (performance.now() - firstAt) / 1_000
        figures(usage.completion_tokens, usage.cost, seconds * 1_000, `${usd(spent)} in this conversation`)
        by('play-tokens-note').textContent = `and ${usage.prompt_tokens} in`
        outcome.line = `${usage.prompt_tokens} + ${usage.completion_tokens} tokens, ${usd(usage.cost)}`
      }
    } catch (error) {
      outcome.failed = error
    }
    return outcome
  }

  function body() {
    const fields = new URLSearchParams()
    fields.set('model', form.model.value)
    fields.set('messages', JSON.stringify(wholeTalk()))
    fields.set('max_tokens', form.max_tokens.value)
    fields.set('temperature', form.temperature.value)
    return fields
  }

  function wholeTalk() {
    const system = by('system').value.trim()
    return system === '' ? messages : [{ role: 'system', content: system }, ...messages]
  }

  function figures(tokens, cost, ms, note) {
    by('play-tokens').textContent = tokens.toLocaleString('en-US')
    by('play-tokens-note').textContent = 'this answer'
    by('play-cost').textContent = usd(cost)
    by('play-cost-note').textContent = note
    if (tokens > 1 && ms > 0) by('play-speed').textContent = ((tokens - 1) / (ms / 1_000)).toFixed(0)
  }

  function show(who, words) {
    const part = element('div', 'said')
    const text = element('div', 'words')
    part.append(element('p', 'muted small', who), text)
    talk.append(part)
    const write = (all) => {
      const low = talk.scrollHeight - talk.scrollTop - talk.clientHeight < 60
      text.replaceChildren(...blocks(all))
      if (low) talk.scrollTop = talk.scrollHeight
    }
    write(words)
    return {
      part,
      write,
      fail: (message) => part.append(element('p', 'bad', message)),
      foot(id, line) {
        const link = element('a', '', 'receipt')
        link.href = `/client/requests/${encodeURIComponent(id)}`
        const foot = element('p', 'muted small', line === '' ? '' : `${line} · `)
        foot.append(link)
        part.append(foot)
      },
    }
  }

  function switching(running) {
    by('send').disabled = running
    by('stop').disabled = !running
  }

  function say(state) {
    by('play-state').textContent = state
  }

  function sayCode() {
    const question = by('question').value.trim()
    const asked = question === '' ? [] : [{ role: 'user', content: question }]
    const talked = [...wholeTalk(), ...asked]
    const wish = { model: form.model.value, messages: talked.length > 0 ? talked : [{ role: 'user', content: 'Why is the sky blue?' }] }
    if (form.max_tokens.value) wish.max_tokens = Number(form.max_tokens.value)
    if (form.temperature.value) wish.temperature = Number(form.temperature.value)
    const made = [curl, python, typescript].map((write) => write(form.dataset.url, wish))
    samples.forEach((sample, i) => (sample.textContent = made[i]))
  }
}

/** Text, with what stands between ``` as code. */
function blocks(text) {
  return text.split('```').map((part, i) => {
    if (i % 2 === 0) return element('div', 'plain', part)
    const code = element('pre', '')
    code.append(element('code', '', part.replace(/^[\w+-]*\n/, '')))
    return code
  })
}

function element(name, look, text = '') {
  const made = document.createElement(name)
  if (look) made.className = look
  made.textContent = text
  return made
}

async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    const whole = (rest + read.value).split('\n\n')
    rest = whole.pop()
    for (const event of whole) {
      const data = event.replace(/^data: /, '')
      if (event.startsWith('data: ') && data !== '[DONE]') yield JSON.parse(data)
    }
  }
}

async function complaint(response) {
  const words = await response.text()
  try {
    return JSON.parse(words).error.message
  } catch {
    return response.redirected ? 'You were signed out. Sign in again.' : 'That did not work. It may be too long: begin a new conversation.'
  }
}

function usd(amount) {
  if (amount === 0) return '$0.00'
  return `$${amount.toFixed(amount < 0.01 ? 9 : 4).replace(/(\.\d\d\d*?)0+$/, '$1')}`
}

function curl(url, wish) {
  const body = JSON.stringify(wish, null, 2).replaceAll("'", "'\\''")
  return `curl ${url}/v1/chat/completions \\
  -H "Authorization: Bearer YOUR_KEY" \\
  -H "Content-Type: application/json" \\
  -d '${body}'`
}

function python(url, wish) {
  const rest = Object.entries(wish).map(([name, value]) => `    ${name}=${JSON.stringify(value)},`)
  return `from openai import OpenAI

client = OpenAI(base_url="${url}/v1", api_key="YOUR_KEY")
stream = client.chat.completions.create(
${rest.join('\n')}
    stream=True,
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="")`
}

function typescript(url, wish) {
  const rest = Object.entries(wish).map(([name, value]) => `  ${name}: ${JSON.stringify(value)},`)
  return `import OpenAI from 'openai'

const client = new OpenAI({ baseURL: '${url}/v1', apiKey: 'YOUR_KEY' })
const stream = await client.chat.completions.create({
${rest.join('\n')}
  stream: true,
})
for await (const chunk of stream) {
  process.stdout.write(chunk.choices[0]?.delta.content ?? '')
}`
}
