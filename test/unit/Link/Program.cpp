#include "Program.h"

#include "Plugin.h"

static int Counter = 100;
static int Mode = 5;

int ProgramVisible = 31;
thread_local int ProgramThreadLocal = 5;

int &programCounter() { return Counter; }
int &programMode() { return Mode; }

int programTwice(int X) { return 2 * X; }
int programIdentity(int) { return 1000; }
int programHidden(int X) { return X + 77; }
void programThrow(int X) { throw X; }

int programCatch(void (*Callee)(int), int X) {
  try {
    Callee(X);
  } catch (int Thrown) {
    return Thrown;
  }
  return -1;
}

int sharedExported() { return 100; }
int sharedHidden() { return 101; }
