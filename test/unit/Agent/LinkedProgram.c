/* A program that uses the library itself. */
#include "hotjit/hotjit.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void show(const char *name, int result) {
  printf("%s %d%s%s\n", name, result, result ? ": " : "",
         result ? hotjit_last_error() : "");
}

static void count(void *arg) { ++*(int *)arg; }
static const char *heard(enum hotjit_phase phase,
                         const hotjit_reload_info *info, void *user) {
  (void)phase;
  (void)info;
  show("inside: undo", hotjit_undo());
  show("inside: reload", hotjit_reload());
  show("inside: stop", hotjit_stop());
  hotjit_safepoint(); /* would call this again */
  if (strcmp(user, "late") == 0)
    show("inside: on_reload", hotjit_on_reload(NULL, user));
  return user;
}

static void show_all(void) {
  int called = 0;
  printf("generation %u\n", hotjit_generation());
  show("undo", hotjit_undo());
  show("reload", hotjit_reload());
  show("on_reload", hotjit_on_reload(heard, "early"));
  show("on_reload", hotjit_on_reload(heard, "early"));
  show("on_reload", hotjit_on_reload(heard, "late"));
  show("guard", hotjit_guard(count, &called));
  printf("called %d, diagnostics %s\n", called,
         hotjit_diagnostics() ? hotjit_diagnostics() : "none");
  hotjit_safepoint();
  hotjit_safepoint();
  show("on_reload", hotjit_on_reload(NULL, "early"));
  hotjit_safepoint();
}

int main(int argc, char **argv) {
  show_all();
  if (argc > 1) {
    hotjit_options options;
    memset(&options, 0, sizeof(options));
    options.size = sizeof(options);
    options.socket = argv[1];
    options.manual = 1;
    show("start", hotjit_start(&options));
    show("start", hotjit_start(&options));
    show_all();
    show("stop", hotjit_stop());
    show("stop", hotjit_stop());
    show("start", hotjit_start(NULL));
    printf("generation %u\n", hotjit_generation());
  }
  return 0;
}
