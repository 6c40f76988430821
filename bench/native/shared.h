// What the bench's three programs share: clock, buffers, histograms, the text of an answer, and the board on which an
// engine writes down when it sent each token, so that the client knows how long the token was on its way.
#pragma once
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static inline uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline void die(const char *format, ...) {
  va_list values;
  va_start(values, format);
  vfprintf(stderr, format, values);
  va_end(values);
  fputc('\n', stderr);
  exit(1);
}

static inline uint64_t own_cpu_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// --- arguments: `--name value`, and nothing else.

static inline const char *argument(int argc, char **argv, const char *name, const char *otherwise) {
  for (int i = 1; i + 1 < argc; i += 2)
    if (strcmp(argv[i], name) == 0) return argv[i + 1];
  if (!otherwise) die("%s is missing", name);
  return otherwise;
}

static inline long number(int argc, char **argv, const char *name, const char *otherwise) {
  return atol(argument(argc, argv, name, otherwise));
}

// --- a buffer that grows; what is before `at` was taken.

typedef struct {
  char *bytes;
  size_t at, length, room;
} Buffer;

static inline void reserve(Buffer *b, size_t more) {
  if (b->at == b->length) b->at = b->length = 0;
  if (b->length + more <= b->room) return;
  if (b->at > 0) {
    memmove(b->bytes, b->bytes + b->at, b->length - b->at);
    b->length -= b->at;
    b->at = 0;
    if (b->length + more <= b->room) return;
  }
  while (b->room < b->length + more) b->room = b->room ? b->room * 2 : 2048;
  b->bytes = realloc(b->bytes, b->room);
  if (!b->bytes) die("out of memory");
}

static inline void append(Buffer *b, const void *bytes, size_t length) {
  reserve(b, length);
  memcpy(b->bytes + b->length, bytes, length);
  b->length += length;
}

static inline void append_text(Buffer *b, const char *text) { append(b, text, strlen(text)); }

static inline void append_number(Buffer *b, uint64_t value) {
  char digits[20];
  int at = 20;
  do digits[--at] = (char)('0' + value % 10);
  while (value /= 10);
  append(b, digits + at, (size_t)(20 - at));
}

static inline size_t waiting(const Buffer *b) { return b->length - b->at; }

static inline void discard(Buffer *b) {
  free(b->bytes);
  memset(b, 0, sizeof *b);
}

/** Writes as much as the socket takes. False: the socket is broken. */
static inline bool drain(int fd, Buffer *b) {
  while (b->at < b->length) {
    ssize_t sent = send(fd, b->bytes + b->at, b->length - b->at, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
    b->at += (size_t)sent;
  }
  b->at = b->length = 0;
  return true;
}

/** Reads what is there, `most` bytes at most. False: the other end closed. */
static inline bool fill(int fd, Buffer *b, size_t most) {
  reserve(b, most);
  ssize_t got = recv(fd, b->bytes + b->length, most, 0);
  if (got > 0) b->length += (size_t)got;
  return got > 0 || (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK));
}

// --- a histogram of nanoseconds, exact to one part in 64.

#define SUB 64
typedef struct {
  uint64_t total;
  uint64_t most;
  uint32_t counts[40 * SUB];
} Histogram;

static inline void observe(Histogram *h, uint64_t ns) {
  int power = ns < SUB ? 0 : 63 - __builtin_clzll(ns) - 5;
  unsigned bucket = (unsigned)power * SUB + (unsigned)(ns >> power);
  if (bucket >= 40 * SUB) bucket = 40 * SUB - 1;
  h->counts[bucket]++;
  h->total++;
  if (ns > h->most) h->most = ns;
}

static inline double percentile_us(const Histogram *h, double share) {
  uint64_t wanted = (uint64_t)((double)h->total * share), seen = 0;
  for (unsigned i = 0; i < 40 * SUB; i++) {
    seen += h->counts[i];
    if (seen > wanted) return (double)((uint64_t)(i % SUB) << (i / SUB)) / 1e3;
  }
  return (double)h->most / 1e3;
}

static inline void print_histogram(const char *name, const Histogram *h) {
  printf("\"%s\":{\"count\":%lu,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"max\":%.1f}", name, h->total,
         percentile_us(h, 0.5), percentile_us(h, 0.9), percentile_us(h, 0.99), (double)h->most / 1e3);
}

// --- the words of answers, one token each, and their ids: token k of slot s is always the same word.

typedef struct {
  char text[24];
  unsigned length, id;
} Word;

static Word *words;
static unsigned word_count;

static inline void read_words(const char *path) {
  FILE *file = fopen(path, "r");
  if (!file) die("cannot read %s", path);
  words = calloc(4096, sizeof *words);
  char text[20];
  unsigned id;
  while (word_count < 4096 && fscanf(file, "%u %19s", &id, text) == 2) {
    Word *word = &words[word_count++];
    word->id = id;
    word->length = (unsigned)snprintf(word->text, sizeof word->text, " %s", text);
  }
  fclose(file);
  if (word_count == 0) die("%s has no words", path);
}

static inline const Word *word_of(unsigned slot, unsigned token) { return &words[(slot * 31 + token) % word_count]; }

// --- the board: for each slot when its latest tokens were sent, and when its client hung up.

#define RING 1024
typedef struct {
  uint64_t sent_at[RING];
  uint64_t hung_up_at;
} Line;

static Line *board;
static unsigned board_slots;

static inline void open_board(const char *path, unsigned slots) {
  int fd = open(path, O_RDWR | O_CREAT, 0600);
  if (fd < 0 || ftruncate(fd, (off_t)(slots * sizeof(Line))) != 0) die("cannot open %s", path);
  board = mmap(NULL, slots * sizeof(Line), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (board == MAP_FAILED) die("cannot map %s", path);
  board_slots = slots;
  close(fd);
}

// --- sockets

static inline int connect_to(const char *address, int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket: %s", strerror(errno));
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  inet_pton(AF_INET, address, &to.sin_addr);
  if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS) {
    close(fd);
    return -1;
  }
  return fd;
}

static inline void watch(int epoll, int fd, uint32_t events, void *owner, int operation) {
  struct epoll_event event = {.events = events, .data.ptr = owner};
  if (epoll_ctl(epoll, operation, fd, &event) != 0) die("epoll_ctl: %s", strerror(errno));
}

/** Waits until something happens or the clock shows `until` (0: for ever). */
static inline int wait_events(int epoll, struct epoll_event *events, int most, uint64_t until) {
  if (until == 0) return epoll_wait(epoll, events, most, -1);
  uint64_t now = now_ns(), left = until > now ? until - now : 0;
  struct timespec t = {.tv_sec = (time_t)(left / 1000000000u), .tv_nsec = (long)(left % 1000000000u)};
  return epoll_pwait2(epoll, events, most, &t, NULL);
}
