// The load client: many connections that ask for answers, streamed or whole, and check every word of them. Prints one
// line of JSON. What happens between `--warm` and `--warm` + `--measure` milliseconds is the sample; the processor time
// of the processes under test (`--pids`) is read at both ends of it, so that it covers exactly the sample.
#include "shared.h"
#include <dirent.h>

typedef struct {
  int fd, number;
  enum { IDLE, CONNECTING, ASKED, READING, OFF } stage;
  Buffer in, text, out;
  unsigned slot;
  uint64_t asked_at, first_at;
  int status;
  bool chunked, head_read, closes, done, failed, aborts, reused;
  uint64_t body_left;
  unsigned words, usage;
  char why[160];
} Connection;

// --- what is asked

static const char *address, *path, *prompt, *headers;
static int port, connection_count, in_flight, off;
static bool streamed, rotates_keys;
static unsigned tokens, gap_us, each, prompt_tokens, slot_base, choices;
static long abort_every, most_requests, read_bytes_per_second;
static double rate;
static char **keys, **models;
static int key_count, model_count;

static uint64_t started_at, sample_from, sample_to, tail_ns, ramp_ns;
static Connection *connections;
static int *idle, idle_count, epoll;

// --- what happened

static struct {
  uint64_t started, completed, aborted, starved, refused, tokens, broken, retried;
  uint64_t in_sample, chunks_in_sample, tokens_in_sample, refused_in_sample, bytes_in_sample, first_in_sample;
  Histogram latency, first, delay, refusal;
  unsigned statuses[600];
  char example[200];
} seen;

static bool in_sample(uint64_t now) { return now >= sample_from && now < sample_to; }

static uint64_t cpu_of(const char *pids) {
  uint64_t total = 0;
  for (const char *at = pids; *at;) {
    char folder[64], file[400];
    snprintf(folder, sizeof folder, "/proc/%d/task", atoi(at));
    DIR *threads = opendir(folder);
    for (struct dirent *thread; threads && (thread = readdir(threads));) {
      if (thread->d_name[0] == '.') continue;
      snprintf(file, sizeof file, "%s/%s/schedstat", folder, thread->d_name);
      FILE *stat = fopen(file, "r");
      uint64_t ran = 0;
      if (stat && fscanf(stat, "%lu", &ran) == 1) total += ran;
      if (stat) fclose(stat);
    }
    if (threads) closedir(threads);
    at = strchr(at, ',') ? strchr(at, ',') + 1 : at + strlen(at);
  }
  return total;
}

/** Nanoseconds a core was busy since the machine started, in steps of 10 ms. */
static uint64_t busy_of(int core) {
  FILE *stat = fopen("/proc/stat", "r");
  char line[400], name[16];
  uint64_t busy = 0;
  snprintf(name, sizeof name, "cpu%d ", core);
  while (stat && fgets(line, sizeof line, stat)) {
    if (strncmp(line, name, strlen(name)) != 0) continue;
    uint64_t v[8] = {0};
    sscanf(line + strlen(name), "%lu %lu %lu %lu %lu %lu %lu %lu", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7]);
    busy = (v[0] + v[1] + v[2] + v[5] + v[6] + v[7]) * 10000000u;
  }
  if (stat) fclose(stat);
  return busy;
}

// --- asking

static void take_off(Connection *c) {
  if (c->fd >= 0) close(c->fd);
  c->fd = -1;
  c->in.at = c->in.length = c->text.at = c->text.length = c->out.at = c->out.length = 0;
}

static void want(Connection *c, uint32_t events, int operation) { watch(epoll, c->fd, events, c, operation); }

static void write_request(Connection *c) {
  static Buffer body;
  body.at = body.length = 0;
  char order[600];
  const char *model = models[seen.started % (uint64_t)model_count];
  append(&body, order,
         (size_t)snprintf(order, sizeof order,
                          "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"[bench slot=%06u tokens=%04u "
                          "gap=%06u each=%03u prompt=%05u n=%u]",
                          model, c->slot, tokens, gap_us, each, prompt_tokens, choices));
  append_text(&body, prompt);
  append(&body, order, (size_t)snprintf(order, sizeof order, "\"}],\"max_tokens\":%u,\"n\":%u%s}", tokens, choices,
                                        streamed ? ",\"stream\":true,\"stream_options\":{\"include_usage\":true}" : ""));
  int key = (int)((rotates_keys ? seen.started : (uint64_t)c->number) % (uint64_t)key_count);
  char head[1024];
  append(&c->out, head,
         (size_t)snprintf(head, sizeof head,
                          "POST %s HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\n"
                          "%sContent-Length: %zu\r\n\r\n",
                          path, address, port, keys[key], headers, body.length));
  append(&c->out, body.bytes, body.length);
}

static void broke(Connection *c, const char *why);

static void send_request(Connection *c) {
  c->stage = ASKED;
  if (!drain(c->fd, &c->out)) return broke(c, "the connection broke while asking");
  bool slow = read_bytes_per_second >= 0;
  want(c, (slow ? 0 : EPOLLIN) | (waiting(&c->out) > 0 ? EPOLLOUT : 0), EPOLL_CTL_MOD);
}

static void ask(Connection *c, uint64_t at) {
  c->asked_at = at;
  c->first_at = 0;
  c->words = c->usage = 0;
  c->head_read = c->done = c->failed = false;
  c->aborts = abort_every > 0 && seen.started % (uint64_t)abort_every == 0;
  c->in.at = c->in.length = c->text.at = c->text.length = 0;
  write_request(c);
  seen.started++;
  in_flight++;
  c->reused = c->fd >= 0;
  if (c->fd >= 0) return send_request(c);
  c->fd = connect_to(address, port);
  if (c->fd < 0) return broke(c, "cannot connect");
  c->stage = CONNECTING;
  if (read_bytes_per_second >= 0) {
    int small = 4096;
    setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  }
  want(c, EPOLLOUT, EPOLL_CTL_ADD);
}

static bool may_ask(uint64_t now) {
  return now < sample_to && (most_requests == 0 || seen.started < (uint64_t)most_requests);
}

/** The request is over. Asks the next, unless requests come at a rate of their own. */
static void over(Connection *c) {
  in_flight--;
  c->stage = IDLE;
  uint64_t now = now_ns();
  if (rate > 0) idle[idle_count++] = c->number;
  else if (may_ask(now)) ask(c, now);
  else off++, c->stage = OFF;
}

static void broke(Connection *c, const char *why) {
  take_off(c);
  // A server may close an idle connection just when the next request is on its way: that is nobody's failure.
  if (c->reused && !c->head_read && c->stage == ASKED) {
    seen.retried++;
    seen.started--;
    in_flight--;
    return ask(c, c->asked_at);
  }
  seen.broken++;
  if (!seen.example[0]) snprintf(seen.example, sizeof seen.example, "%s (status %d, %u of %u words)", why, c->status, c->words, tokens);
  over(c);
}

static void fail(Connection *c, const char *why, const char *text, size_t length) {
  if (!c->failed) snprintf(c->why, sizeof c->why, "%s: %.*s", why, (int)(length > 120 ? 120 : length), text);
  c->failed = true;
}

// --- reading

/** The words in `text`, each in its place, each as it was sent. */
static void check_words(Connection *c, const char *text, size_t length, uint64_t now) {
  size_t at = 0;
  while (at < length) {
    const Word *word = word_of(c->slot, c->words);
    if (c->words >= tokens || length - at < word->length || memcmp(text + at, word->text, word->length) != 0)
      return fail(c, "a wrong word", text + at, length - at);
    if (in_sample(now)) {
      seen.tokens_in_sample++;
      if (streamed) observe(&seen.delay, now - board[c->slot].sent_at[c->words % RING]);
    }
    seen.tokens++;
    c->words++;
    at += word->length;
  }
}

static const char *value_of(const char *json, size_t length, const char *name) {
  const char *found = memmem(json, length, name, strlen(name));
  if (!found) return NULL;
  found += strlen(name);
  return *found == ' ' ? found + 1 : found;
}

static void read_usage(Connection *c, const char *json, size_t length) {
  const char *value = value_of(json, length, "\"completion_tokens\":");
  if (value) c->usage = (unsigned)strtoul(value, NULL, 10);
}

static void read_content(Connection *c, const char *json, size_t length, uint64_t now) {
  // Of several choices the first stands for all.
  if (choices > 1 && !memmem(json, length, "\"index\":0", 9)) return;
  const char *text = value_of(json, length, "\"content\":");
  if (!text || *text != '"') return;
  text++;
  const char *end = memchr(text, '"', (size_t)(json + length - text));
  if (!end || end == text) return;
  if (c->first_at == 0) {
    c->first_at = now;
    if (in_sample(now)) {
      seen.first_in_sample++;
      observe(&seen.first, now - c->asked_at);
    }
  }
  if (streamed && in_sample(now)) seen.chunks_in_sample++;
  check_words(c, text, (size_t)(end - text), now);
}

static void read_event(Connection *c, const char *line, size_t length, uint64_t now) {
  if (length < 6 || memcmp(line, "data: ", 6) != 0) return;
  line += 6, length -= 6;
  if (length == 6 && memcmp(line, "[DONE]", 6) == 0) {
    c->done = true;
    return;
  }
  if (memmem(line, length < 40 ? length : 40, "\"error\"", 7)) fail(c, "an error in the stream", line, length);
  read_content(c, line, length, now);
  read_usage(c, line, length);
}

static void read_events(Connection *c, uint64_t now) {
  for (;;) {
    const char *line = c->text.bytes + c->text.at;
    const char *end = waiting(&c->text) ? memchr(line, '\n', waiting(&c->text)) : NULL;
    if (!end) return;
    c->text.at += (size_t)(end + 1 - line);
    if (end > line && end[-1] == '\r') end--;
    if (end > line) read_event(c, line, (size_t)(end - line), now);
  }
}

static void finish(Connection *c, uint64_t now) {
  const char *text = c->text.bytes + c->text.at;
  size_t length = waiting(&c->text);
  if (c->status == 200 && !streamed) {
    read_content(c, text, length, now);
    read_usage(c, text, length);
    c->done = true;
  }
  seen.statuses[c->status]++;
  if (c->status == 429 || c->status == 503) {
    seen.refused++;
    if (in_sample(now)) {
      seen.refused_in_sample++;
      observe(&seen.refusal, now - c->asked_at);
    }
  } else {
    if (c->status != 200) fail(c, "refused", text, length);
    else if (!c->done) fail(c, "the stream ended without [DONE]", "", 0);
    else if (c->words != tokens) fail(c, "words are missing", "", 0);
    else if (c->usage != tokens * choices) fail(c, "another usage than was produced", "", 0);
    if (c->failed) {
      seen.broken++;
      if (!seen.example[0]) snprintf(seen.example, sizeof seen.example, "%s (%u of %u words)", c->why, c->words, tokens);
    } else {
      seen.completed++;
      if (in_sample(now)) {
        seen.in_sample++;
        observe(&seen.latency, now - c->asked_at);
      }
    }
  }
  if (c->closes) take_off(c);
  over(c);
}

static void hang_up(Connection *c, uint64_t now) {
  board[c->slot].hung_up_at = now;
  take_off(c);
  seen.aborted++;
  over(c);
}

static void read_head(Connection *c) {
  char *start = c->in.bytes + c->in.at;
  char *end = waiting(&c->in) ? memmem(start, waiting(&c->in), "\r\n\r\n", 4) : NULL;
  if (!end) return;
  c->status = atoi(start + 9);
  if (c->status < 100 || c->status > 599) c->status = 599;
  c->chunked = c->closes = false;
  c->body_left = 0;
  for (char *line = start; line < end; line = strchr(line, '\n') + 1) {
    if (strncasecmp(line, "content-length:", 15) == 0) c->body_left = strtoul(line + 15, NULL, 10);
    if (strncasecmp(line, "transfer-encoding: chunked", 26) == 0) c->chunked = true;
    if (strncasecmp(line, "connection: close", 17) == 0) c->closes = true;
  }
  c->in.at = (size_t)(end + 4 - c->in.bytes);
  c->head_read = true;
}

/** True when the body is complete. */
static bool read_chunks(Connection *c) {
  for (;;) {
    if (c->body_left > 0) {
      size_t take = waiting(&c->in) < c->body_left ? waiting(&c->in) : c->body_left;
      // The chunk and the line end behind it.
      size_t text = c->body_left > 2 ? (take < c->body_left - 2 ? take : c->body_left - 2) : 0;
      append(&c->text, c->in.bytes + c->in.at, text);
      c->in.at += take;
      c->body_left -= take;
      if (c->body_left > 0) return false;
    }
    char *line = c->in.bytes + c->in.at;
    char *end = waiting(&c->in) ? memchr(line, '\n', waiting(&c->in)) : NULL;
    if (!end) return false;
    size_t size = strtoul(line, NULL, 16);
    if (size == 0) {
      // The empty line that ends the body.
      if (waiting(&c->in) < (size_t)(end + 1 - line) + 2) return false;
      c->in.at += (size_t)(end + 1 - line) + 2;
      return true;
    }
    c->in.at += (size_t)(end + 1 - line);
    c->body_left = size + 2;
  }
}

static void read_answer(Connection *c, size_t most) {
  size_t before = waiting(&c->in);
  if (!fill(c->fd, &c->in, most)) return broke(c, "the connection closed before the answer was complete");
  uint64_t now = now_ns();
  if (in_sample(now)) seen.bytes_in_sample += waiting(&c->in) - before;
  if (!c->head_read) read_head(c);
  if (!c->head_read) return;
  c->stage = READING;
  bool complete;
  if (c->chunked) complete = read_chunks(c);
  else {
    size_t take = waiting(&c->in) < c->body_left ? waiting(&c->in) : c->body_left;
    append(&c->text, c->in.bytes + c->in.at, take);
    c->in.at += take;
    c->body_left -= take;
    complete = c->body_left == 0;
  }
  if (streamed && c->status == 200) {
    read_events(c, now);
    if (c->aborts && c->words * 2 >= tokens) return hang_up(c, now);
  }
  if (complete) finish(c, now);
}

static void happened(Connection *c, uint32_t events) {
  if (c->fd < 0) return;
  if (c->stage == CONNECTING) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error) return broke(c, strerror(error));
    return send_request(c);
  }
  if (events & EPOLLOUT && c->stage == ASKED) {
    send_request(c);
    if (c->fd < 0) return;
  }
  if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
  if (c->stage == ASKED || c->stage == READING) return read_answer(c, read_bytes_per_second >= 0 ? 4096 : 64 * 1024);
  // Idle, and the server closed.
  take_off(c);
}

// --- arguments

static int read_list(const char *text, const char *separators, char ***list) {
  int count = 0;
  char *copy = strdup(text);
  for (char *item = strtok(copy, separators); item; item = strtok(NULL, separators)) {
    *list = realloc(*list, (size_t)(count + 1) * sizeof **list);
    (*list)[count++] = item;
  }
  return count;
}

static const char *contents(const char *file_path) {
  FILE *file = fopen(file_path, "r");
  if (!file) die("cannot read %s", file_path);
  Buffer text = {0};
  char part[65536];
  for (size_t got; (got = fread(part, 1, sizeof part, file)) > 0;) append(&text, part, got);
  fclose(file);
  append(&text, "", 1);
  return text.bytes;
}

static void report(uint64_t sut_ns, uint64_t own_ns, uint64_t busy_sut_ns, uint64_t busy_own_ns, uint64_t sample_ns) {
  printf("{\"seconds\":%.4f,\"started\":%lu,\"completed\":%lu,\"aborted\":%lu,\"refused\":%lu,\"broken\":%lu,\"starved\":%lu,"
         "\"retried\":%lu,\"unfinished\":%d,\"tokens\":%lu,",
         (double)sample_ns / 1e9, seen.started, seen.completed, seen.aborted, seen.refused, seen.broken, seen.starved,
         seen.retried, in_flight, seen.tokens);
  printf("\"sample\":{\"answers\":%lu,\"chunks\":%lu,\"tokens\":%lu,\"refused\":%lu,\"firsts\":%lu,\"bytes\":%lu,\"sutNs\":%lu,"
         "\"loadNs\":%lu,\"sutCoreBusyNs\":%lu,\"loadCoreBusyNs\":%lu},",
         seen.in_sample, seen.chunks_in_sample, seen.tokens_in_sample, seen.refused_in_sample, seen.first_in_sample,
         seen.bytes_in_sample, sut_ns, own_ns, busy_sut_ns, busy_own_ns);
  print_histogram("latency", &seen.latency);
  printf(",");
  print_histogram("first", &seen.first);
  printf(",");
  print_histogram("delay", &seen.delay);
  printf(",");
  print_histogram("refusal", &seen.refusal);
  printf(",\"statuses\":{");
  const char *comma = "";
  for (int status = 100; status < 600; status++)
    if (seen.statuses[status]) printf("%s\"%d\":%u", comma, status, seen.statuses[status]), comma = ",";
  for (char *at = seen.example; *at; at++)
    if (*at == '"' || *at == '\\' || (unsigned char)*at < 32) *at = '\'';
  printf("},\"example\":\"%s\"}\n", seen.example);
}

int main(int argc, char **argv) {
  address = argument(argc, argv, "--address", "127.0.0.1");
  port = (int)number(argc, argv, "--port", NULL);
  path = argument(argc, argv, "--path", "/v1/chat/completions");
  headers = argument(argc, argv, "--headers", "");
  connection_count = (int)number(argc, argv, "--connections", NULL);
  streamed = number(argc, argv, "--stream", "0") != 0;
  tokens = (unsigned)number(argc, argv, "--words-each", NULL);
  gap_us = (unsigned)number(argc, argv, "--gap-us", "0");
  each = (unsigned)number(argc, argv, "--each", "1");
  prompt_tokens = (unsigned)number(argc, argv, "--prompt-tokens", "0");
  choices = (unsigned)number(argc, argv, "--choices", "1");
  slot_base = (unsigned)number(argc, argv, "--slot-base", "0");
  abort_every = number(argc, argv, "--abort-every", "0");
  most_requests = number(argc, argv, "--requests", "0");
  read_bytes_per_second = number(argc, argv, "--read-bytes-per-second", "-1");
  rate = atof(argument(argc, argv, "--rate", "0"));
  rotates_keys = number(argc, argv, "--rotate-keys", "0") != 0;
  prompt = contents(argument(argc, argv, "--prompt", "/dev/null"));
  key_count = read_list(contents(argument(argc, argv, "--keys", NULL)), "\n", &keys);
  model_count = read_list(argument(argc, argv, "--models", NULL), ",", &models);
  const char *pids = argument(argc, argv, "--pids", "");
  int sut_core = (int)number(argc, argv, "--sut-core", "0"), own_core = (int)number(argc, argv, "--load-core", "1");
  read_words(argument(argc, argv, "--words", NULL));
  open_board(argument(argc, argv, "--board", NULL), (unsigned)number(argc, argv, "--slots", NULL));
  if (slot_base + (unsigned)connection_count > board_slots) die("more connections than slots");

  connections = calloc((size_t)connection_count, sizeof *connections);
  idle = calloc((size_t)connection_count, sizeof *idle);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  started_at = now_ns();
  sample_from = started_at + (uint64_t)number(argc, argv, "--warm", "500") * 1000000;
  sample_to = sample_from + (uint64_t)number(argc, argv, "--measure", "1000") * 1000000;
  tail_ns = (uint64_t)number(argc, argv, "--tail", "10000") * 1000000;
  ramp_ns = (uint64_t)number(argc, argv, "--ramp", "0") * 1000000;
  for (int i = 0; i < connection_count; i++) {
    connections[i] = (Connection){.fd = -1, .number = i, .slot = slot_base + (unsigned)i};
    idle[idle_count++] = connection_count - 1 - i;
  }

  uint64_t sut_ns = 0, own_ns = 0, busy_sut = 0, busy_own = 0, sample_began = 0, sample_ended = 0, arrivals = 0, tick = started_at;
  struct epoll_event events[512];
  for (;;) {
    uint64_t now = now_ns();
    if (!sample_began && now >= sample_from) {
      sut_ns = cpu_of(pids), own_ns = own_cpu_ns(), busy_sut = busy_of(sut_core), busy_own = busy_of(own_core);
      sample_began = now;
    }
    bool exhausted = most_requests > 0 && seen.started >= (uint64_t)most_requests && in_flight == 0;
    if (exhausted && sample_to > now) sample_to = now;
    if (!sample_ended && sample_began && now >= sample_to) {
      sut_ns = cpu_of(pids) - sut_ns, own_ns = own_cpu_ns() - own_ns;
      busy_sut = busy_of(sut_core) - busy_sut, busy_own = busy_of(own_core) - busy_own;
      sample_ended = now;
    }
    if (now >= sample_to && sample_ended && (in_flight == 0 || now >= sample_to + tail_ns)) break;

    uint64_t until = !sample_began ? sample_from : !sample_ended ? sample_to : sample_to + tail_ns;
    if (rate > 0) {
      // Requests come when they come, however busy the server is.
      while (may_ask(now) && (double)(now - started_at) * rate / 1e9 >= (double)arrivals) {
        uint64_t due = started_at + (uint64_t)((double)arrivals++ * 1e9 / rate);
        if (idle_count > 0) ask(&connections[idle[--idle_count]], due);
        else seen.starved++;
      }
      uint64_t next = started_at + (uint64_t)((double)arrivals * 1e9 / rate);
      if (may_ask(now) && next < until) until = next;
    } else if (idle_count > 0) {
      // Connections begin one after another over the ramp.
      uint64_t step = ramp_ns / (uint64_t)connection_count;
      while (idle_count > 0 && started_at + (uint64_t)(connection_count - idle_count) * step <= now)
        ask(&connections[idle[--idle_count]], now);
      uint64_t next = started_at + (uint64_t)(connection_count - idle_count) * step;
      if (idle_count > 0 && next < until) until = next;
    }
    if (read_bytes_per_second > 0 && now >= tick) {
      tick = now + 50000000;
      for (int i = 0; i < connection_count; i++) {
        Connection *c = &connections[i];
        if (c->fd >= 0 && (c->stage == ASKED || c->stage == READING)) read_answer(c, (size_t)(read_bytes_per_second / 20));
      }
    }
    if (read_bytes_per_second > 0 && tick < until) until = tick;

    int count = wait_events(epoll, events, 512, until);
    for (int i = 0; i < count; i++) happened(events[i].data.ptr, events[i].events);
  }
  report(sut_ns, own_ns, busy_sut, busy_own, sample_ended - sample_began);
  return 0;
}
