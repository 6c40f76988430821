// A mock engine's answer: what the prompt orders, in events shaped like vLLM's, sent when they are due. The order stands
// in the prompt as text, "[bench slot=000123 tokens=0050 gap=020000 each=001 prompt=00254 n=1]", and so survives every
// gateway. `gap` is microseconds between events, `each` the tokens of one event, `prompt` the prompt's own tokens, `n`
// how many choices say the same at the same time.
#pragma once
#include "shared.h"

typedef struct Answer {
  unsigned slot, tokens, gap_us, each, prompt, choices;
  /** Tokens sent so far; events before the first token and after the last are told apart by `stage`. */
  unsigned next;
  enum { GREETING, SPEAKING, CLOSING, DONE } stage;
  uint64_t due;
  /** Its place in the heap of what is due, or -1. */
  int place;
  void *owner;
} Answer;

/** False: the body has no order. */
static inline bool read_order(const char *body, size_t length, Answer *answer) {
  const char *order = memmem(body, length, "[bench slot=", 12);
  char text[96] = {0};
  if (!order) return false;
  size_t left = (size_t)(body + length - order);
  memcpy(text, order, left < sizeof text - 1 ? left : sizeof text - 1);
  int found = sscanf(text, "[bench slot=%u tokens=%u gap=%u each=%u prompt=%u n=%u]", &answer->slot, &answer->tokens,
                     &answer->gap_us, &answer->each, &answer->prompt, &answer->choices);
  answer->next = 0;
  answer->stage = GREETING;
  answer->place = -1;
  answer->due = now_ns();
  return found == 6 && answer->slot < board_slots && answer->each > 0 && answer->tokens > 0 && answer->choices > 0;
}

#define HEAD "data: {\"id\":\"chatcmpl-0123456789abcdef0123456789abcdef\",\"object\":\"chat.completion.chunk\","\
             "\"created\":1764000000,\"model\":\"" MODEL_NAME "\",\"choices\":["
#define MODEL_NAME "Qwen/Qwen3-8B"

static inline void append_usage(Buffer *out, const Answer *a) {
  append_text(out, "\"usage\":{\"prompt_tokens\":");
  append_number(out, a->prompt);
  append_text(out, ",\"total_tokens\":");
  append_number(out, a->prompt + a->next * a->choices);
  append_text(out, ",\"completion_tokens\":");
  append_number(out, a->next * a->choices);
  append_text(out, "}}");
}

static inline void append_words(Buffer *out, const Answer *a, unsigned from, unsigned count) {
  for (unsigned k = from; k < from + count; k++) {
    const Word *word = word_of(a->slot, k);
    append(out, word->text, word->length);
  }
}

static inline void append_ids(Buffer *out, const Answer *a, unsigned from, unsigned count) {
  append_text(out, "\"token_ids\":[");
  for (unsigned k = from; k < from + count; k++) {
    if (k > from) append_text(out, ",");
    append_number(out, word_of(a->slot, k)->id);
  }
  append_text(out, "]");
}

static inline void append_choice(Buffer *out, unsigned index) {
  append_text(out, HEAD "{\"index\":");
  append_number(out, index);
}

static inline void append_greeting(Buffer *out, const Answer *a, unsigned index) {
  append_choice(out, index);
  append_text(out, ",\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,\"finish_reason\":null}],"
                   "\"prompt_token_ids\":[");
  for (unsigned i = 0; i < a->prompt; i++) append_text(out, i == 0 ? "151644" : ",1879");
  append_text(out, "],");
  append_usage(out, a);
  append_text(out, "\n\n");
}

static inline void append_tokens(Buffer *out, const Answer *a, unsigned index, unsigned count) {
  append_choice(out, index);
  append_text(out, ",\"delta\":{\"content\":\"");
  append_words(out, a, a->next, count);
  append_text(out, "\"},\"logprobs\":null,\"finish_reason\":");
  append_text(out, a->next + count == a->tokens ? "\"length\",\"stop_reason\":null," : "null,");
  append_ids(out, a, a->next, count);
  append_text(out, "}],");
  append_usage(out, a);
  append_text(out, "\n\n");
}

/** Appends the next event of every choice, and says so on the board. The last one brings `[DONE]` with it. */
static inline void append_event(Buffer *out, Answer *a) {
  switch (a->stage) {
    case GREETING:
      for (unsigned index = 0; index < a->choices; index++) append_greeting(out, a, index);
      a->stage = SPEAKING;
      return;
    case SPEAKING: {
      unsigned count = a->tokens - a->next < a->each ? a->tokens - a->next : a->each;
      for (unsigned index = 0; index < a->choices; index++) append_tokens(out, a, index, count);
      uint64_t now = now_ns();
      for (unsigned k = a->next; k < a->next + count; k++) board[a->slot].sent_at[k % RING] = now;
      a->next += count;
      a->due += (uint64_t)a->gap_us * 1000;
      if (a->next == a->tokens) a->stage = CLOSING;
      return;
    }
    case CLOSING:
      append_text(out, HEAD "],");
      append_usage(out, a);
      append_text(out, "\n\ndata: [DONE]\n\n");
      a->stage = DONE;
      return;
    case DONE:
      return;
  }
}

/** As vLLM answers a request that is not streamed: the same words in one body of about a kilobyte. */
static inline void append_whole(Buffer *out, Answer *a) {
  append_text(out, "{\"id\":\"chatcmpl-0123456789abcdef0123456789abcdef\",\"object\":\"chat.completion\","
                   "\"created\":1764000000,\"model\":\"" MODEL_NAME "\",\"choices\":[{\"index\":0,\"message\":{"
                   "\"role\":\"assistant\",\"content\":\"");
  append_words(out, a, 0, a->tokens);
  append_text(out, "\",\"refusal\":null,\"annotations\":null,\"audio\":null,\"function_call\":null,\"tool_calls\":[],"
                   "\"reasoning_content\":null},\"logprobs\":null,\"finish_reason\":\"length\",\"stop_reason\":null}],"
                   "\"service_tier\":null,\"system_fingerprint\":null,");
  a->next = a->tokens;
  append_usage(out, a);
  a->stage = DONE;
}

/** What comes when the last token is out comes with it; what comes before the first token comes with that. */
static inline bool is_due(const Answer *a, uint64_t now) { return a->stage != SPEAKING || a->due <= now; }

// --- what is due next: a binary heap.

static Answer **heap;
static int heap_size, heap_room;

static inline void put(int place, Answer *answer) {
  heap[place] = answer;
  answer->place = place;
}

static inline void sift(int place) {
  Answer *answer = heap[place];
  while (place > 0 && heap[(place - 1) / 2]->due > answer->due) {
    put(place, heap[(place - 1) / 2]);
    place = (place - 1) / 2;
  }
  for (;;) {
    int child = 2 * place + 1;
    if (child >= heap_size) break;
    if (child + 1 < heap_size && heap[child + 1]->due < heap[child]->due) child++;
    if (heap[child]->due >= answer->due) break;
    put(place, heap[child]);
    place = child;
  }
  put(place, answer);
}

static inline void schedule(Answer *answer) {
  if (answer->place >= 0) return sift(answer->place);
  if (heap_size == heap_room) {
    heap_room = heap_room ? heap_room * 2 : 1024;
    heap = realloc(heap, (size_t)heap_room * sizeof *heap);
  }
  put(heap_size++, answer);
  sift(heap_size - 1);
}

static inline void unschedule(Answer *answer) {
  if (answer->place < 0) return;
  int place = answer->place;
  answer->place = -1;
  Answer *moved = heap[--heap_size];
  if (moved == answer) return;
  put(place, moved);
  sift(place);
}
