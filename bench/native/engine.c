// A mock engine over HTTP, for what stands beside the hub and has no hosts: nginx, haproxy, the other gateways. It says
// the same words at the same pace as the fake hosts do, streamed or whole, as it is asked.
#include "answer.h"

typedef struct Client {
  int fd;
  Buffer in, out;
  Answer answer;
  bool answering, blocked;
} Client;

static int epoll;
static uint64_t requests;

static void leave(Client *client) {
  unschedule(&client->answer);
  close(client->fd);
  discard(&client->in);
  discard(&client->out);
  free(client);
}

/** False: the client is gone. */
static bool push(Client *client) {
  if (!drain(client->fd, &client->out)) {
    leave(client);
    return false;
  }
  bool blocked = waiting(&client->out) > 0;
  if (blocked == client->blocked) return true;
  client->blocked = blocked;
  watch(epoll, client->fd, EPOLLIN | (blocked ? EPOLLOUT : 0), client, EPOLL_CTL_MOD);
  return true;
}

/** What gpuhost asks before it serves: which models there are, and one token to see that it works. */
#define MODELS "{\"data\":[{\"id\":\"" MODEL_NAME "\",\"max_model_len\":32768,\"owned_by\":\"vllm\"}]}"
#define ONE_TOKEN "{\"choices\":[{\"index\":0,\"text\":\" the\",\"token_ids\":[279],\"finish_reason\":\"length\"}]}"

static bool push_json(Client *client, const char *json, size_t length) {
  char head[96];
  append(&client->out, head, (size_t)snprintf(head, sizeof head,
         "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", length));
  append(&client->out, json, length);
  return push(client);
}

static Buffer event;

/** Speaks as far as it is due. False: the client is gone. */
static bool speak(Client *client, uint64_t now) {
  Answer *answer = &client->answer;
  while (answer->stage != DONE && is_due(answer, now)) {
    // A reader that is full stops its engine.
    if (waiting(&client->out) > 64 * 1024 && !drain(client->fd, &client->out)) break;
    if (waiting(&client->out) > 64 * 1024) break;
    event.at = event.length = 0;
    append_event(&event, answer);
    char size[24];
    append(&client->out, size, (size_t)snprintf(size, sizeof size, "%zx\r\n", event.length));
    append(&client->out, event.bytes, event.length);
    append_text(&client->out, "\r\n");
  }
  if (answer->stage == DONE) {
    append_text(&client->out, "0\r\n\r\n");
    client->answering = false;
    unschedule(answer);
  } else if (answer->due > now) {
    schedule(answer);
  } else {
    unschedule(answer);
  }
  return push(client);
}

static bool answer(Client *client, const char *body, size_t length) {
  requests++;
  if (!read_order(body, length, &client->answer)) return push_json(client, ONE_TOKEN, strlen(ONE_TOKEN));
  client->answer.owner = client;
  bool streamed = memmem(body, length, "\"stream\":true", 13) || memmem(body, length, "\"stream\": true", 14);
  if (streamed) {
    append_text(&client->out, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
                              "Transfer-Encoding: chunked\r\n\r\n");
    client->answering = true;
    return speak(client, now_ns());
  }
  event.at = event.length = 0;
  append_whole(&event, &client->answer);
  return push_json(client, event.bytes, event.length);
}

static void happened(Client *client, uint32_t events) {
  if (events & EPOLLOUT && !push(client)) return;
  if (events & EPOLLOUT && client->answering && client->answer.place < 0 && !speak(client, now_ns())) return;
  if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
  if (!fill(client->fd, &client->in, 128 * 1024)) return leave(client);
  while (!client->answering) {
    char *start = client->in.bytes + client->in.at;
    size_t left = waiting(&client->in);
    char *end = left ? memmem(start, left, "\r\n\r\n", 4) : NULL;
    if (!end) return;
    size_t head = (size_t)(end + 4 - start), length = 0;
    for (char *line = start; line < end; line = strchr(line, '\n') + 1)
      if (strncasecmp(line, "content-length:", 15) == 0) length = strtoul(line + 15, NULL, 10);
    if (left < head + length) return;
    client->in.at += head + length;
    bool stays = length == 0 ? push_json(client, MODELS, strlen(MODELS)) : answer(client, start + head, length);
    if (!stays) return;
  }
}

static void welcome(int listener) {
  int fd;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    Client *client = calloc(1, sizeof *client);
    client->fd = fd;
    client->answer.place = -1;
    watch(epoll, fd, EPOLLIN, client, EPOLL_CTL_ADD);
  }
}

int main(int argc, char **argv) {
  read_words(argument(argc, argv, "--words", NULL));
  open_board(argument(argc, argv, "--board", NULL), (unsigned)number(argc, argv, "--slots", NULL));
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number(argc, argv, "--port", NULL)),
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 4096) != 0)
    die("cannot listen: %s", strerror(errno));
  epoll = epoll_create1(EPOLL_CLOEXEC);
  watch(epoll, listener, EPOLLIN, NULL, EPOLL_CTL_ADD);
  static int standard_input;
  watch(epoll, 0, EPOLLIN, &standard_input, EPOLL_CTL_ADD);
  printf("ready\n");
  fflush(stdout);
  struct epoll_event events[512];
  for (;;) {
    uint64_t now = now_ns();
    while (heap_size > 0 && heap[0]->due <= now) speak(heap[0]->owner, now);
    int count = wait_events(epoll, events, 512, heap_size > 0 ? heap[0]->due : 0);
    for (int i = 0; i < count; i++) {
      if (!events[i].data.ptr) welcome(listener);
      else if (events[i].data.ptr == &standard_input) {
        char command[64];
        if (read(0, command, sizeof command) <= 0) return 0;
        printf("{\"requests\":%lu,\"cpuNs\":%lu}\n", requests, own_cpu_ns());
        fflush(stdout);
      } else happened(events[i].data.ptr, events[i].events);
    }
  }
}
