// Fake hosts: many links to one hub in one process, speaking the real wire protocol (sdk/wire; its numbers come in as
// WIRE_… at compile time) and playing the engine behind it. What is sent in one turn goes as one message, as gpuhost
// does. Commands come on standard input: `stats` prints what happened since the last time; its end ends the program.
#include "answer.h"

#define MASK_BYTES 4
#define HEADER_BYTES 8
#define JOINED_BYTES (256 * 1024)
#define ARRIVING 64
#define BUCKETS (1 << 16)

typedef struct Host Host;

typedef struct Stream {
  Answer answer;
  Host *host;
  struct Stream *next_in_bucket;
  uint32_t id;
  unsigned attempt, frames;
  uint64_t body_left, allowed;
  bool ordered, open, counted;
  struct Stream *next_in_line;
  /** Engine bytes for which there is no credit yet. */
  Buffer held;
} Stream;

struct Host {
  int fd, number;
  enum { CONNECTING, UPGRADING, GREETED, WELCOMED, GONE } stage;
  Buffer in, frames, out;
  uint64_t epoch, beat_at;
  unsigned running, working;
  /** Streams whose engine has no slot free yet, in the order in which they came. */
  Stream *first_in_line, *last_in_line;
  bool dirty, blocked;
};

static struct {
  uint64_t asks, answers, cancels, cut, data_frames, messages;
  Histogram cancel_delay;
} stats;

static Host *hosts;
static Host **dirty;
static int host_count, next_host, arriving, welcomed, gone, dirty_count, epoll, port;
static char **tokens;
static int token_count;
static const char *address, *models;
static unsigned machine_base, slots_each;
static Stream *buckets[BUCKETS];

// --- streams by host and id

static Stream **bucket_of(const Host *host, uint32_t id) {
  return &buckets[(((uint64_t)host->number * 0x9e3779b97f4a7c15u >> 40) + id * 2654435761u) % BUCKETS];
}

static Stream *stream_of(const Host *host, uint32_t id) {
  Stream *stream = *bucket_of(host, id);
  while (stream && (stream->host != host || stream->id != id)) stream = stream->next_in_bucket;
  return stream;
}

static void work(Stream *stream);

static void forget(Stream *stream) {
  Host *host = stream->host;
  Stream **link = bucket_of(stream->host, stream->id);
  while (*link != stream) link = &(*link)->next_in_bucket;
  *link = stream->next_in_bucket;
  unschedule(&stream->answer);
  host->running--;
  Stream **line = &host->first_in_line, *before = NULL;
  for (; *line; before = *line, line = &(*line)->next_in_line)
    if (*line == stream) {
      *line = stream->next_in_line;
      if (host->last_in_line == stream) host->last_in_line = before;
      break;
    }
  bool worked = stream->counted;
  discard(&stream->held);
  free(stream);
  if (!worked) return;
  host->working--;
  Stream *next = host->first_in_line;
  if (!next || host->stage == GONE) return;
  host->first_in_line = next->next_in_line;
  if (!host->first_in_line) host->last_in_line = NULL;
  next->next_in_line = NULL;
  work(next);
}

// --- frames out

static void begin_frame(Host *host, uint32_t stream, int kind, size_t length) {
  unsigned char header[HEADER_BYTES] = {
      (unsigned char)(stream >> 24), (unsigned char)(stream >> 16), (unsigned char)(stream >> 8), (unsigned char)stream,
      (unsigned char)kind, (unsigned char)(length >> 16), (unsigned char)(length >> 8), (unsigned char)length};
  append(&host->frames, header, sizeof header);
  if (host->dirty) return;
  host->dirty = true;
  dirty[dirty_count++] = host;
}

static void send_json(Host *host, uint32_t stream, int kind, const char *format, ...) {
  char json[16 * 1024];
  va_list values;
  va_start(values, format);
  int length = vsnprintf(json, sizeof json, format, values);
  va_end(values);
  if (length >= (int)sizeof json) die("a control payload is too long: %d bytes", length);
  begin_frame(host, stream, kind, (size_t)length);
  append(&host->frames, json, (size_t)length);
}

static void lose(Host *host) {
  if (host->stage == GONE) return;
  if (host->stage != WELCOMED) arriving--;
  host->stage = GONE;
  gone++;
  close(host->fd);
  for (int i = 0; i < BUCKETS && host->running > 0; i++)
    for (Stream *stream = buckets[i], *next; stream; stream = next) {
      next = stream->next_in_bucket;
      if (stream->host == host) forget(stream);
    }
}

/** One client message: a header, a mask of zeros (so nothing is to be masked), the payload. */
static void wrap(Host *host, int opcode, const void *bytes, size_t length) {
  unsigned char header[14] = {(unsigned char)(0x80 | opcode)};
  size_t size = 2;
  if (length < 126) header[1] = (unsigned char)(0x80 | length);
  else if (length < 65536) {
    header[1] = 0x80 | 126;
    header[2] = (unsigned char)(length >> 8);
    header[3] = (unsigned char)length;
    size = 4;
  } else {
    header[1] = 0x80 | 127;
    for (int i = 0; i < 8; i++) header[2 + i] = (unsigned char)((uint64_t)length >> (56 - 8 * i));
    size = 10;
  }
  memset(header + size, 0, MASK_BYTES);
  append(&host->out, header, size + MASK_BYTES);
  append(&host->out, bytes, length);
  stats.messages++;
}

static void flush_out(Host *host) {
  if (!drain(host->fd, &host->out)) return lose(host);
  bool blocked = waiting(&host->out) > 0;
  if (blocked == host->blocked) return;
  host->blocked = blocked;
  watch(epoll, host->fd, EPOLLIN | (blocked ? EPOLLOUT : 0), host, EPOLL_CTL_MOD);
}

static void flush_dirty(void) {
  for (int i = 0; i < dirty_count; i++) {
    Host *host = dirty[i];
    host->dirty = false;
    if (host->stage == GONE) continue;
    // Whole frames only, as many as fit one message.
    while (waiting(&host->frames) > 0) {
      const unsigned char *frames = (unsigned char *)host->frames.bytes + host->frames.at;
      size_t length = 0, left = waiting(&host->frames);
      while (length < left) {
        size_t frame = HEADER_BYTES + (((size_t)frames[length + 5] << 16) | ((size_t)frames[length + 6] << 8) | frames[length + 7]);
        if (length > 0 && length + frame > JOINED_BYTES) break;
        length += frame;
      }
      wrap(host, 2, frames, length);
      host->frames.at += length;
    }
    flush_out(host);
  }
  dirty_count = 0;
}

// --- the engine's part

static void send_held(Stream *stream) {
  Host *host = stream->host;
  while (waiting(&stream->held) > 0 && stream->allowed > 0) {
    size_t length = waiting(&stream->held);
    if (length > stream->allowed) length = stream->allowed;
    if (length > WIRE_MAX_PAYLOAD - 4) length = WIRE_MAX_PAYLOAD - 4;
    unsigned sequence = stream->frames++;
    unsigned char leading[4] = {(unsigned char)(sequence >> 24), (unsigned char)(sequence >> 16),
                                (unsigned char)(sequence >> 8), (unsigned char)sequence};
    begin_frame(host, stream->id, WIRE_DATA, 4 + length);
    append(&host->frames, leading, 4);
    append(&host->frames, stream->held.bytes + stream->held.at, length);
    stream->held.at += length;
    stream->allowed -= length;
    stats.data_frames++;
  }
}

/** Speaks as far as it is due and there is credit. An engine whose reader is full stops generating. */
static void speak(Stream *stream, uint64_t now) {
  Answer *answer = &stream->answer;
  while (answer->stage != DONE && is_due(answer, now)) {
    if (waiting(&stream->held) > 0 && stream->allowed == 0) break;
    append_event(&stream->held, answer);
    // Paced tokens are read from the engine one by one, a burst as far as it is there.
    if (answer->gap_us > 0 && answer->stage == SPEAKING) send_held(stream);
  }
  send_held(stream);
  if (answer->stage == DONE && waiting(&stream->held) == 0) {
    send_json(stream->host, stream->id, WIRE_END, "{\"attempt\":%u,\"frames\":%u}", stream->attempt, stream->frames);
    stats.answers++;
    return forget(stream);
  }
  if (answer->stage == SPEAKING && waiting(&stream->held) == 0) schedule(answer);
  else unschedule(answer);
}

static void begin(Stream *stream) {
  if (!stream->ordered) {
    stats.cut++;
    send_json(stream->host, stream->id, WIRE_FAIL,
              "{\"attempt\":%u,\"class\":\"engine\",\"code\":\"no_order\",\"message\":\"the prompt has no order\"}",
              stream->attempt);
    return forget(stream);
  }
  stream->open = true;
  send_json(stream->host, stream->id, WIRE_ANSWER, "{\"attempt\":%u,\"status\":200}", stream->attempt);
  Host *host = stream->host;
  if (host->working < slots_each) return work(stream);
  if (host->last_in_line) host->last_in_line->next_in_line = stream;
  else host->first_in_line = stream;
  host->last_in_line = stream;
}

/** The engine has a slot for it. */
static void work(Stream *stream) {
  stream->counted = true;
  stream->host->working++;
  stream->answer.due = now_ns();
  speak(stream, stream->answer.due);
}

static uint64_t field(const char *json, size_t length, const char *name) {
  const char *found = memmem(json, length, name, strlen(name));
  return found ? strtoull(found + strlen(name), NULL, 10) : 0;
}

static void asked(Host *host, uint32_t id, const char *json, size_t length) {
  Stream *stream = calloc(1, sizeof *stream);
  stream->host = host;
  stream->id = id;
  stream->answer.place = -1;
  stream->answer.owner = stream;
  stream->attempt = (unsigned)field(json, length, "\"attempt\":");
  stream->body_left = field(json, length, "\"bodyBytes\":");
  stream->allowed = field(json, length, "\"windowBytes\":");
  Stream **bucket = bucket_of(host, id);
  stream->next_in_bucket = *bucket;
  *bucket = stream;
  host->running++;
  stats.asks++;
}

static void body(Stream *stream, const char *bytes, size_t length) {
  if (!stream->ordered) stream->ordered = read_order(bytes, length, &stream->answer);
  stream->answer.owner = stream;
  stream->body_left -= length < stream->body_left ? length : stream->body_left;
  if (stream->body_left == 0 && !stream->open) begin(stream);
}

static void cancelled(Stream *stream) {
  stats.cancels++;
  if (stream->ordered) {
    uint64_t hung_up_at = board[stream->answer.slot].hung_up_at;
    if (hung_up_at) observe(&stats.cancel_delay, now_ns() - hung_up_at);
    board[stream->answer.slot].hung_up_at = 0;
  }
  forget(stream);
}

// --- frames in

static void control(Host *host, const char *json, size_t length) {
  if (memmem(json, length, "\"type\":\"welcome\"", 16)) {
    host->epoch = field(json, length, "\"epoch\":");
    host->stage = WELCOMED;
    host->beat_at = now_ns() + (uint64_t)WIRE_BEAT_MS * 1000000;
    arriving--;
    welcomed++;
  } else if (memmem(json, length, "\"type\":\"refused\"", 16)) {
    die("host %d was refused: %.*s", host->number, (int)length, json);
  }
}

static void frame(Host *host, uint32_t id, int kind, const char *payload, size_t length) {
  if (kind == WIRE_CONTROL) return control(host, payload, length);
  if (kind == WIRE_ASK) return asked(host, id, payload, length);
  Stream *stream = stream_of(host, id);
  if (!stream) return;
  if (kind == WIRE_BODY) body(stream, payload, length);
  else if (kind == WIRE_CANCEL) cancelled(stream);
  else if (kind == WIRE_CREDIT) {
    const unsigned char *b = (const unsigned char *)payload;
    stream->allowed += ((uint32_t)b[0] << 24) | ((uint32_t)b[1] << 16) | ((uint32_t)b[2] << 8) | b[3];
    if (stream->counted && waiting(&stream->held) > 0) speak(stream, now_ns());
  }
}

static void message(Host *host, const unsigned char *bytes, size_t length) {
  for (size_t at = 0; at + HEADER_BYTES <= length;) {
    const unsigned char *h = bytes + at;
    uint32_t id = ((uint32_t)h[0] << 24) | ((uint32_t)h[1] << 16) | ((uint32_t)h[2] << 8) | h[3];
    size_t size = ((size_t)h[5] << 16) | ((size_t)h[6] << 8) | h[7];
    frame(host, id, h[4], (const char *)h + HEADER_BYTES, size);
    at += HEADER_BYTES + size;
  }
}

static void read_messages(Host *host) {
  while (host->stage != GONE) {
    const unsigned char *b = (unsigned char *)host->in.bytes + host->in.at;
    size_t left = waiting(&host->in), header = 2;
    if (left < 2) return;
    size_t length = b[1] & 0x7f;
    if (length == 126) {
      if (left < 4) return;
      length = ((size_t)b[2] << 8) | b[3];
      header = 4;
    } else if (length == 127) {
      if (left < 10) return;
      length = 0;
      for (int i = 0; i < 8; i++) length = length << 8 | b[2 + i];
      header = 10;
    }
    if (left < header + length) return;
    int opcode = b[0] & 0x0f;
    if (opcode == 2 && (b[0] & 0x80)) message(host, b + header, length);
    else if (opcode == 9) {
      wrap(host, 10, b + header, length);
      flush_out(host);
    } else if (opcode == 8) return lose(host);
    else if (opcode != 10) die("the hub sent a WebSocket frame these hosts do not know: %d", b[0]);
    host->in.at += header + length;
  }
}

// --- arriving

static void dial(Host *host) {
  host->fd = connect_to(address, port);
  if (host->fd < 0) die("host %d cannot connect: %s", host->number, strerror(errno));
  host->stage = CONNECTING;
  arriving++;
  watch(epoll, host->fd, EPOLLOUT, host, EPOLL_CTL_ADD);
}

static void upgrade(Host *host) {
  append_text(&host->out, "GET /hosts/link HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: Z3B1aHViIGJlbmNoIGtleQ==\r\nAuthorization: Bearer ");
  append_text(&host->out, tokens[host->number % token_count]);
  append_text(&host->out, "\r\n\r\n");
  host->stage = UPGRADING;
  watch(epoll, host->fd, EPOLLIN, host, EPOLL_CTL_MOD);
  flush_out(host);
}

static void greet(Host *host) {
  const char *end = memmem(host->in.bytes + host->in.at, waiting(&host->in), "\r\n\r\n", 4);
  if (!end) return;
  if (memcmp(host->in.bytes + host->in.at, "HTTP/1.1 101", 12) != 0)
    die("host %d was not let in: %.*s", host->number, (int)waiting(&host->in), host->in.bytes + host->in.at);
  host->in.at = (size_t)(end + 4 - host->in.bytes);
  host->stage = GREETED;
  send_json(host, 0, WIRE_CONTROL,
            "{\"type\":\"hello\",\"protocol\":%d,\"agent\":\"bench\",\"machine\":\"bench-%u\",\"name\":\"bench %u\","
            "\"hardware\":{\"gpus\":[{\"name\":\"RTX 4090\",\"memoryBytes\":25757220864,\"computeCapability\":\"8.9\","
            "\"uuid\":null}],\"driver\":\"570.86\",\"cpu\":\"bench\",\"cores\":16,\"memoryBytes\":68719476736,"
            "\"os\":\"Linux\",\"arch\":\"x64\",\"simulated\":true},\"serving\":%s,\"state\":\"ready\"}",
            WIRE_PROTOCOL, machine_base + (unsigned)host->number, machine_base + (unsigned)host->number, models);
}

static void happened(Host *host, uint32_t events) {
  if (host->stage == GONE) return;
  if (host->stage == CONNECTING) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(host->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error) die("host %d cannot connect: %s", host->number, strerror(error));
    return upgrade(host);
  }
  if (events & EPOLLOUT) flush_out(host);
  if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)) || host->stage == GONE) return;
  if (!fill(host->fd, &host->in, 64 * 1024)) return lose(host);
  if (host->stage == UPGRADING) greet(host);
  if (host->stage == GREETED || host->stage == WELCOMED) read_messages(host);
  // Ten thousand idle hosts need not keep a buffer each.
  if (host->stage != GONE && waiting(&host->in) == 0 && host->running == 0) discard(&host->in);
}

static void beats(uint64_t now) {
  for (int i = 0; i < next_host; i++) {
    Host *host = &hosts[i];
    if (host->stage != WELCOMED || host->beat_at > now) continue;
    host->beat_at = now + (uint64_t)WIRE_BEAT_MS * 1000000;
    send_json(host, 0, WIRE_CONTROL, "{\"type\":\"beat\",\"epoch\":%lu,\"running\":%u,\"waiting\":%u}", host->epoch,
              host->running, host->running - host->working);
  }
}

static void report(void) {
  printf("{\"asks\":%lu,\"answers\":%lu,\"cancels\":%lu,\"cut\":%lu,\"dataFrames\":%lu,\"messages\":%lu,"
         "\"hosts\":%d,\"lost\":%d,\"cpuNs\":%lu,",
         stats.asks, stats.answers, stats.cancels, stats.cut, stats.data_frames, stats.messages, welcomed - gone, gone,
         own_cpu_ns());
  print_histogram("cancelDelay", &stats.cancel_delay);
  printf("}\n");
  fflush(stdout);
  memset(&stats, 0, sizeof stats);
}

static void read_tokens(const char *path) {
  FILE *file = fopen(path, "r");
  if (!file) die("cannot read %s", path);
  char line[200];
  while (fscanf(file, "%199s", line) == 1) {
    tokens = realloc(tokens, (size_t)(token_count + 1) * sizeof *tokens);
    tokens[token_count++] = strdup(line);
  }
  fclose(file);
  if (token_count == 0) die("%s has no tokens", path);
}

int main(int argc, char **argv) {
  address = argument(argc, argv, "--address", "127.0.0.1");
  port = (int)number(argc, argv, "--port", NULL);
  host_count = (int)number(argc, argv, "--hosts", "1");
  models = argument(argc, argv, "--serving", NULL);
  machine_base = (unsigned)number(argc, argv, "--machine-base", "0");
  slots_each = (unsigned)number(argc, argv, "--slots-each", "256");
  read_tokens(argument(argc, argv, "--tokens", NULL));
  read_words(argument(argc, argv, "--words", NULL));
  open_board(argument(argc, argv, "--board", NULL), (unsigned)number(argc, argv, "--slots", NULL));
  hosts = calloc((size_t)host_count, sizeof *hosts);
  dirty = calloc((size_t)host_count, sizeof *dirty);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  watch(epoll, 0, EPOLLIN, NULL, EPOLL_CTL_ADD);
  uint64_t next_beats = now_ns();
  bool said_ready = false;
  struct epoll_event events[512];
  for (;;) {
    while (next_host < host_count && arriving < ARRIVING) {
      hosts[next_host].number = next_host;
      dial(&hosts[next_host++]);
    }
    uint64_t now = now_ns();
    if (now >= next_beats) {
      beats(now);
      next_beats = now + 100000000;
    }
    while (heap_size > 0 && heap[0]->due <= now) speak(heap[0]->owner, now);
    flush_dirty();
    if (!said_ready && welcomed == host_count) {
      said_ready = true;
      printf("ready\n");
      fflush(stdout);
    }
    uint64_t until = heap_size > 0 && heap[0]->due < next_beats ? heap[0]->due : next_beats;
    int count = wait_events(epoll, events, 512, until);
    for (int i = 0; i < count; i++) {
      if (events[i].data.ptr) {
        happened(events[i].data.ptr, events[i].events);
        continue;
      }
      char command[64];
      if (read(0, command, sizeof command) <= 0) return 0;
      report();
    }
    flush_dirty();
  }
}
