#include "greet.h"
#include <cstdio>
#include <hotjit/hotjit.h>

namespace {
struct Counter {
  int Turns;
};
Counter Count = {0};
const char *heard(hotjit_phase, const hotjit_reload_info *, void *) {
  return nullptr;
}
} // namespace

int main() {
  char Line[64];
  hotjit_on_reload(heard, nullptr);
  while (std::fgets(Line, sizeof Line, stdin)) {
    hotjit_safepoint();
    std::printf("%d: %s, generation %u\n", ++Count.Turns, greet(),
                hotjit_generation());
    std::fflush(stdout);
  }
  return 0;
}
