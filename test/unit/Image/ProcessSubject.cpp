#include "ProcessSubject.h"

thread_local int SubjectThreadLocal = 41;
int SubjectGlobal = 42;

extern "C" __attribute__((visibility("default"))) int ImageCopied;

int subjectFunction(int X) { return X + SubjectGlobal; }

int *subjectStatic() {
  static int Calls = 43;
  return &Calls;
}

int *copiedAddressFromExecutable() { return &ImageCopied; }
