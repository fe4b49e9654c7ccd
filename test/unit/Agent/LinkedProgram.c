/* A program that uses the library itself. */
#include "hotjit/hotjit.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void count(void *arg) { ++*(int *)arg; }
static const char *never(enum hotjit_phase phase,
                         const hotjit_reload_info *info, void *user) {
  (void)phase;
  (void)info;
  (void)user;
  return "veto";
}

static void show(const char *name, int result) {
  printf("%s %d%s%s\n", name, result, result ? ": " : "",
         result ? hotjit_last_error() : "");
}

static void show_all(void) {
  int called = 0;
  printf("generation %u\n", hotjit_generation());
  show("undo", hotjit_undo());
  show("reload", hotjit_reload());
  show("on_reload", hotjit_on_reload(never, NULL));
  show("guard", hotjit_guard(count, &called));
  printf("called %d, diagnostics %s\n", called,
         hotjit_diagnostics() ? "some" : "none");
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
