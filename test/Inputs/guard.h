// hotjit_guard for programs under test that do not link libhotjit.so: the
// launcher preloads it.
#ifndef GUARD_H
#define GUARD_H
#include <dlfcn.h>
static int guard(void (*F)(void *), void *Argument) {
  typedef int (*Guard)(void (*)(void *), void *);
  Guard Found = (Guard)dlsym(RTLD_DEFAULT, "hotjit_guard");
  if (!Found)
    return -1;
  return Found(F, Argument);
}
#endif
