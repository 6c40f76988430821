// The prompt an engine makes of a conversation: the model's own chat template, rendered as vLLM renders it.
import { Template } from '@huggingface/jinja'
import { type ChatMessage, type ChatRequest } from '../../sdk/openai.ts'
import { textOf } from '../../sdk/wire/emulated-prompt.ts'
import { Shapes } from './shapes.ts'

export interface Chat {
  messages: readonly ChatMessage[]
  tools?: ChatRequest['tools']
  /** Whether the model is to think aloud first; absent: as its template has it. */
  thinking?: boolean
}

/** The conversation does not fit the model's template, for instance because its roles do not alternate. */
export class TemplateError extends Error {
  override name = 'TemplateError'
}

interface Facts {
  marks: { bos_token: string | null; eos_token: string | null }
  /** Some templates take no other call id than nine letters and digits. */
  shortCallIds: boolean
}

/** Where a template asks for today's date it gets this one: a prompt must not change its length at midnight. */
const DATE = '26 Jul 2024'

export class ChatTemplate {
  private readonly template: Template
  private readonly shapes: Shapes

  constructor(
    source: string,
    private readonly facts: Facts,
  ) {
    this.template = new Template(source.replaceAll('strftime_now', 'date_now'))
    this.shapes = new Shapes(source, (chat) => this.interpret(chat))
  }

  /** @throws TemplateError with the template's own words. */
  render(chat: Chat): string {
    return this.shapes.render(chat) ?? this.interpret(chat)
  }

  /** As the template says, word for word. @throws TemplateError */
  interpret(chat: Chat): string {
    const { marks, shortCallIds } = this.facts
    try {
      return this.template.render({
        messages: chat.messages.map((message) => plain(message, shortCallIds)),
        ...(chat.tools && chat.tools.length > 0 ? { tools: chat.tools.map(plainTool) } : {}),
        ...(chat.thinking === undefined ? {} : { enable_thinking: chat.thinking }),
        ...marks,
        add_generation_prompt: true,
        date_string: DATE,
        date_now: () => DATE,
      })
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error)
      throw new TemplateError(`The model's chat template refuses this conversation: ${words}`, { cause: error })
    }
  }
}

/**
 * A message as vLLM hands it to templates: content as one text, arguments of calls as values and not as JSON.
 * `tool_calls` is there even when undefined, because Jinja's JavaScript `selectattr` passes over keys that are not.
 */
function plain(message: ChatMessage, shortCallIds: boolean): object {
  const content = textOf(message.content)
  const callId = (id: string) => (shortCallIds ? shortId(id) : id)
  if (message.role === 'tool')
    return { role: 'tool', content, tool_call_id: callId(message.tool_call_id), tool_calls: undefined }
  if (message.role !== 'assistant')
    return { role: message.role === 'developer' ? 'system' : message.role, content, tool_calls: undefined }
  const calls = (message.tool_calls ?? []).map((call) => ({
    id: callId(call.id),
    type: 'function',
    function: { name: call.function.name, arguments: valueOf(call.function.arguments) },
  }))
  return {
    role: 'assistant',
    content,
    ...(message.reasoning_content ? { reasoning_content: message.reasoning_content } : {}),
    tool_calls: calls.length > 0 ? calls : undefined,
  }
}

function plainTool(tool: NonNullable<ChatRequest['tools']>[number]): object {
  const { name, description, parameters } = tool.function
  return { type: 'function', function: { name, description: description ?? null, parameters: parameters ?? null } }
}

function valueOf(json: string): unknown {
  try {
    return json.trim() === '' ? {} : JSON.parse(json)
  } catch {
    return json
  }
}

function shortId(id: string): string {
  return /^[A-Za-z0-9]{9}$/.test(id) ? id : Bun.hash(id).toString(36).padStart(9, '0').slice(-9)
}
