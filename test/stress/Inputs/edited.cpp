#include "soak.h"
static int Counter;
int number(int N) {
  ++Counter;
  return N + 0;
}
void thrower(int N) {
  struct Guard {
    ~Guard() { ++Counter; }
  } G;
  if (N >= 0)
    throw N + 0;
}
