import type { Snippet } from '../parts/sample.tsx'

/** A first request, in three languages, that works as it stands once it carries a key. */
export function firstRequest(url: string, model: string, key = 'YOUR_KEY'): Snippet[] {
  return [
    {
      language: 'curl',
      code: `curl ${url}/v1/chat/completions \\
  -H "Authorization: Bearer ${key}" \\
  -H "Content-Type: application/json" \\
  -d '{
    "model": "${model}",
    "messages": [{"role": "user", "content": "Why is the sky blue?"}]
  }'`,
    },
    {
      language: 'Python',
      code: `from openai import OpenAI

client = OpenAI(
    base_url="${url}/v1",
    api_key="${key}",
)
stream = client.chat.completions.create(
    model="${model}",
    messages=[{"role": "user", "content": "Why is the sky blue?"}],
    stream=True,
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="")`,
    },
    {
      language: 'TypeScript',
      code: `import OpenAI from 'openai'

const client = new OpenAI({
  baseURL: '${url}/v1',
  apiKey: '${key}',
})
const stream = await client.chat.completions.create({
  model: '${model}',
  messages: [{ role: 'user', content: 'Why is the sky blue?' }],
  stream: true,
})
for await (const chunk of stream) {
  process.stdout.write(chunk.choices[0]?.delta.content ?? '')
}`,
    },
  ]
}
