// The baseline's host: loads the library that each line of input names, calls
// its tick() and prints the result and the time at which it was there.
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

int main(void) {
  char Path[4096];
  while (fgets(Path, sizeof Path, stdin)) {
    Path[strcspn(Path, "\n")] = 0;
    void *Library = dlopen(Path, RTLD_NOW | RTLD_LOCAL);
    int (*Tick)(void) = Library ? (int (*)(void))dlsym(Library, "tick") : 0;
    if (!Tick) {
      fprintf(stderr, "%s\n", dlerror());
      return 1;
    }
    int Value = Tick();
    struct timespec Now;
    clock_gettime(CLOCK_MONOTONIC, &Now);
    printf("%d %lld\n", Value, Now.tv_sec * 1000000000LL + Now.tv_nsec);
    fflush(stdout);
  }
  return 0;
}
