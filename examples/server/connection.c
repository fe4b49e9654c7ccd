#include "connection.h"
#include "commands.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection *connection_new(int descriptor) {
  struct connection *c = calloc(1, sizeof(*c));
  if (c)
    c->descriptor = descriptor;
  return c;
}

void connection_free(struct connection *c) {
  close(c->descriptor);
  free(c);
}

void connection_say(struct connection *c, const char *text) {
  size_t length = strlen(text);
  if (c->out_size + length + 1 > sizeof(c->out))
    return; /* it does not read: it misses this */
  memcpy(c->out + c->out_size, text, length);
  c->out_size += length;
  c->out[c->out_size++] = '\n';
}

static void run_lines(struct connection *c) {
  char *begin = c->in, *end;
  size_t left = c->in_size;
  while ((end = memchr(begin, '\n', left))) {
    *end = '\0';
    if (end > begin && end[-1] == '\r')
      end[-1] = '\0';
    ++c->requests;
    run_command(c, begin);
    left -= (size_t)(end + 1 - begin);
    begin = end + 1;
  }
  memmove(c->in, begin, left);
  c->in_size = left;
}

int connection_read(struct connection *c) {
  for (;;) {
    size_t room = sizeof(c->in) - c->in_size;
    ssize_t got = recv(c->descriptor, c->in + c->in_size, room, 0);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return errno == EAGAIN && connection_write(c);
    if (got == 0 || (size_t)got == room)
      return 0;
    c->in_size += (size_t)got;
    run_lines(c);
  }
}

int connection_write(struct connection *c) {
  while (c->out_size > 0) {
    ssize_t sent = send(c->descriptor, c->out, c->out_size, MSG_NOSIGNAL);
    if (sent < 0)
      return errno == EAGAIN || errno == EINTR;
    c->out_size -= (size_t)sent;
    memmove(c->out, c->out + sent, c->out_size);
  }
  return 1;
}
