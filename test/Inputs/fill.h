// Takes the address space around the program, for tests of what comes without.
#ifndef FILL_H
#define FILL_H
#include "step.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

static struct {
  char *Begin;
  size_t Size;
} Filled[4096];
static int Count;

// What is free within 3 GiB of this code. 1 if there was any.
STEP_UNUSED static int fill(void) {
  const unsigned long Reach = 3UL << 30, Here = (unsigned long)fill & -4096UL;
  unsigned long Low = Here > Reach ? Here - Reach : 65536, High = Here + Reach;
  static char Line[4096];
  FILE *Maps = fopen("/proc/thread-self/maps", "r");
  unsigned long End = 65536, Begin, Next, Gaps[4096][2];
  int N = 0;
  while (fgets(Line, sizeof Line, Maps) && N != 4096) {
    sscanf(Line, "%lx-%lx", &Begin, &Next);
    Gaps[N][0] = End > Low ? End : Low;
    Gaps[N][1] = Begin < High ? Begin : High;
    N += Gaps[N][0] < Gaps[N][1];
    End = Next;
  }
  fclose(Maps);
  for (int I = 0; I != N; ++I) {
    char *At = (char *)Gaps[I][0];
    size_t Size = Gaps[I][1] - Gaps[I][0];
    if (mmap(At, Size, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
             -1, 0) != At)
      continue;
    Filled[Count].Begin = At;
    Filled[Count++].Size = Size;
  }
  return Count > 0;
}

// Gives Bytes of it up for good, in one piece: right below this code, or well
// above it where the heap will not grow into it.
STEP_UNUSED static int leave(size_t Bytes) {
  const size_t Above = 256UL << 20;
  for (int I = Count; I-- > 0;) {
    int IsBelow = Filled[I].Begin < (char *)fill;
    size_t Kept = IsBelow ? Filled[I].Size - Bytes : Above;
    if (Filled[I].Size < Bytes + (IsBelow ? 0 : Above))
      continue;
    munmap(Filled[I].Begin + Kept, Bytes);
    Filled[I].Size = Kept;
    return 1;
  }
  return 0;
}

// Gives all of it back.
STEP_UNUSED static int empty(void) {
  while (Count)
    --Count, munmap(Filled[Count].Begin, Filled[Count].Size);
  return 0;
}

#endif
