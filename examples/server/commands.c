/* The protocol: a line in, a line out. Edit it while clients are connected. */
#include "commands.h"
#include "connection.h"
#include "store.h"
#include <stdio.h>
#include <string.h>

static void get(struct connection *c, const char *name) {
  const char *value = store_get(name);
  connection_say(c, value ? value : "(nothing)");
}

static void set(struct connection *c, const char *name, const char *value) {
  connection_say(c, store_set(name, value) ? "OK" : "ERROR out of memory");
}

static void info(struct connection *c) {
  char text[128];
  snprintf(text, sizeof text, "%zu names, request %u of this connection",
           store_size(), c->requests);
  connection_say(c, text);
}

void run_command(struct connection *c, char *line) {
  char *rest;
  const char *command = strtok_r(line, " ", &rest);
  const char *name = strtok_r(NULL, " ", &rest);
  if (!command)
    return;
  if (!strcmp(command, "get") && name)
    get(c, name);
  else if (!strcmp(command, "set") && name)
    set(c, name, rest);
  else if (!strcmp(command, "info"))
    info(c);
  else
    connection_say(c, "ERROR unknown command");
}
