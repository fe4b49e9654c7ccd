// Calls tick() all the time, with pauses of 50 microseconds, and prints each
// new value with the time at which it was there. Ends with its input.
#define _GNU_SOURCE
#include <poll.h>
#include <stdio.h>
#include <time.h>

int tick(void);

int main(void) {
  struct pollfd Input = {0, POLLIN, 0};
  const struct timespec Pause = {0, 50000};
  int Last = -1;
  while (ppoll(&Input, 1, &Pause, 0) == 0) {
    int Value = tick();
    if (Value == Last)
      continue;
    struct timespec Now;
    clock_gettime(CLOCK_MONOTONIC, &Now);
    printf("%d %lld\n", Value, Now.tv_sec * 1000000000LL + Now.tv_nsec);
    fflush(stdout);
    Last = Value;
  }
  return 0;
}
