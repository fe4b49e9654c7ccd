/* A client, and the bytes that came and that have to go. */
#ifndef CONNECTION_H
#define CONNECTION_H

#include <stddef.h>

struct connection {
  int descriptor;
  unsigned requests; /* so far */
  size_t in_size, out_size;
  char in[1024];
  char out[8192];
};

struct connection *connection_new(int descriptor);
void connection_free(struct connection *c);
/* Reads what is there and answers every whole line; 0: the client has gone, or
   sends lines without end. */
int connection_read(struct connection *c);
/* Sends what can be sent without waiting; 0: the client has gone. */
int connection_write(struct connection *c);
void connection_say(struct connection *c, const char *text);

#endif
