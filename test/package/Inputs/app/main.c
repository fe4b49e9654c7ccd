#include "greet.h"
#include <hotjit/hotjit.h>
#include <stdio.h>
static int turns;
int main(void) {
  char line[64];
  while (fgets(line, sizeof line, stdin)) {
    hotjit_safepoint();
    printf("%d: %s, generation %u\n", ++turns, greet(), hotjit_generation());
    fflush(stdout);
  }
  return 0;
}
