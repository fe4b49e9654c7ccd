/*
 * A server that keeps names and values: `set NAME VALUE`, `get NAME`, `info`.
 *
 *   server [PORT]   on 127.0.0.1; 0 or none: any port, which it prints
 *
 * The loop has a safe point between two batches of events: with
 * HOTJIT_COMMIT_AT_SAFEPOINT=1 a batch is served by one version of the code.
 */
#define _GNU_SOURCE
#include "connection.h"
#include <arpa/inet.h>
#include <errno.h>
#include <hotjit/hotjit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static int listen_on(unsigned short port) {
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons(port),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof address;
  int yes = 1;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0)
    return -1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(listener, (struct sockaddr *)&address, size) != 0 ||
      listen(listener, 64) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &size) != 0)
    return -1;
  printf("listening on port %d\n", ntohs(address.sin_port));
  fflush(stdout);
  return listener;
}

static void welcome(int poll, int listener) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET};
  int descriptor;
  while ((descriptor = accept4(listener, NULL, NULL,
                               SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    struct connection *c = connection_new(descriptor);
    event.data.ptr = c;
    if (!c)
      close(descriptor);
    else if (epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &event) != 0)
      connection_free(c);
  }
}

static void serve(const struct epoll_event *event) {
  struct connection *c = event->data.ptr;
  int alive = 1;
  if (event->events & EPOLLOUT)
    alive = connection_write(c);
  if (alive && (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
    alive = connection_read(c);
  if (!alive)
    connection_free(c);
}

static void serve_batch(int poll, int listener) {
  struct epoll_event events[64];
  int count = epoll_wait(poll, events, 64, -1);
  for (int i = 0; i < count; ++i) {
    if (events[i].data.ptr)
      serve(&events[i]);
    else
      welcome(poll, listener);
  }
}

int main(int count, char **words) {
  struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = NULL}};
  int listener = listen_on((unsigned short)(count > 1 ? atoi(words[1]) : 0));
  int poll = epoll_create1(EPOLL_CLOEXEC);
  if (listener < 0 || poll < 0 ||
      epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event) != 0) {
    fprintf(stderr, "server: %s\n", strerror(errno));
    return 1;
  }
  for (;;) {
    hotjit_safepoint();
    serve_batch(poll, listener);
  }
}
