// Prints the microseconds from the first instruction of the program that is its
// own, before the constructors of its libraries, until main(); then waits.
#include <stdio.h>
#include <time.h>

static struct timespec Begin;
static void begin(void) { clock_gettime(CLOCK_MONOTONIC, &Begin); }
__attribute__((section(".preinit_array"), used)) static void (*First)(void) =
    begin;

int unit0(int N);

int main(void) {
  struct timespec Now;
  clock_gettime(CLOCK_MONOTONIC, &Now);
  printf("%.1f\n", (Now.tv_sec - Begin.tv_sec) * 1e6 +
                       (Now.tv_nsec - Begin.tv_nsec) / 1e3);
  fflush(stdout);
  while (getchar() != EOF)
    ;
  return unit0(0);
}
