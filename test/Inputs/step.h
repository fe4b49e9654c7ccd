// The driver of a program under test: makes one call per line of stdin and
// prints what it returned, so that a test decides when each call happens.
//
//   int greet() { return 1; }
//   int main() { return steps("greet", greet); }
//
//   stdin        stdout
//   (any line)   greet -> 1
//
// With a table the line chooses the function:
//
//   static const struct step table[] = {{"greet", greet}, {"bye", bye}};
//   int main(void) { return step_table(table, 2); }
//
// A line may carry a number after the name ("greet 5") for a function that
// takes one. The program ends with status 0 when stdin ends.
//
// The function is called through a volatile pointer: the optimizer must not
// know here what is called, in any mode, or main would hold a copy of it.
#ifndef STEP_H
#define STEP_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__GNUC__)
#define STEP_UNUSED __attribute__((unused))
#else
#define STEP_UNUSED
#endif

struct step {
  const char *name;
  int (*call)(void);
};

// Reads a line into Line without its newline; 0 at the end of the input.
STEP_UNUSED static int step_read(char *Line, int Size) {
  if (!fgets(Line, Size, stdin))
    return 0;
  Line[strcspn(Line, "\n")] = 0;
  return 1;
}

STEP_UNUSED static void step_answer(const char *Name, int Value) {
  printf("%s -> %d\n", Name, Value);
  fflush(stdout);
}

STEP_UNUSED static int step_table(const struct step *Table, int Size) {
  char Line[256];
  while (step_read(Line, sizeof Line)) {
    int I = 0;
    while (I < Size && strcmp(Table[I].name, Line) != 0)
      ++I;
    if (I == Size) {
      printf("no step '%s'\n", Line);
      fflush(stdout);
      continue;
    }
    int (*volatile Call)(void) = Table[I].call;
    step_answer(Line, Call());
  }
  return 0;
}

STEP_UNUSED static int steps(const char *Name, int (*Function)(void)) {
  char Line[256];
  int (*volatile Call)(void) = Function;
  while (step_read(Line, sizeof Line))
    step_answer(Name, Call());
  return 0;
}

#ifdef __cplusplus
STEP_UNUSED static int steps(const char *Name, const char *(*Function)()) {
  char Line[256];
  const char *(*volatile Call)() = Function;
  while (step_read(Line, sizeof Line)) {
    printf("%s -> %s\n", Name, Call());
    fflush(stdout);
  }
  return 0;
}

STEP_UNUSED static int steps(const char *Name, int (*Function)(int)) {
  char Line[256];
  int (*volatile Call)(int) = Function;
  while (step_read(Line, sizeof Line)) {
    const char *Number = strchr(Line, ' ');
    step_answer(Name, Call(Number ? atoi(Number) : atoi(Line)));
  }
  return 0;
}
#endif

#endif
