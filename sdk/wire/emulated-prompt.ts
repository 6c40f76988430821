// The emulated model's chat template: how a conversation becomes token ids. The emulator feeds its model with it and
// the hub counts prompts with it. Marks stand around the parts; what people wrote can never turn into a mark.
import type { ChatMessage, ChatRequest } from '../openai.ts'
import { encode, mark } from './vocabulary.ts'

export interface Conversation {
  messages: readonly ChatMessage[]
  tools?: ChatRequest['tools']
  /** Ends the prompt where the assistant begins to speak. Default true. */
  addGenerationPrompt?: boolean
  /** Leaves the last message open, so that the model goes on in the middle of it. */
  continueFinalMessage?: boolean
}

const roleMark = {
  system: mark.system,
  developer: mark.system,
  user: mark.user,
  assistant: mark.assistant,
  tool: mark.tool,
}

export function renderConversation(conversation: Conversation): number[] {
  const ids: number[] = [mark.start]
  const append = (more: readonly number[]) => {
    for (const id of more) ids.push(id)
  }
  if (conversation.tools && conversation.tools.length > 0) {
    ids.push(mark.tools)
    append(encode(JSON.stringify(conversation.tools)))
    ids.push(mark.end)
  }
  for (const message of conversation.messages) {
    ids.push(roleMark[message.role])
    append(encode(textOf(message.content)))
    if (message.role === 'assistant')
      for (const call of message.tool_calls ?? []) {
        ids.push(mark.call)
        append(encode(`${call.function.name}\n${call.function.arguments}`))
      }
    ids.push(mark.end)
  }
  if (conversation.continueFinalMessage) ids.pop()
  else if (conversation.addGenerationPrompt ?? true) ids.push(mark.assistant)
  return ids
}

/** A message's text; its parts are joined by a newline, as engines do for templates that take plain text. */
export function textOf(content: ChatMessage['content']): string {
  if (typeof content === 'string') return content
  return (content ?? []).map((part) => part.text).join('\n')
}
