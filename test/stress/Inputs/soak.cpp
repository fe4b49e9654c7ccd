// A program for a long day: threads (their number is the argument) that call
// what is edited all the time, and, for each line of input, the cost of an
// exception.
#include "soak.h"
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

static std::atomic<unsigned long> Calls, Wrong;

static void work() {
  int (*volatile Call)(int) = number;
  int Newest = 0;
  for (int I = 0;; I = (I + 1) % 1000) {
    // number(I) is I plus the number of an edit, and no thread goes back in
    // time; a torn entry or a body of another function gives anything.
    int Edit = Call(I) - I;
    if (Edit < Newest || Edit > Newest + 100000)
      ++Wrong;
    Newest = Edit;
    ++Calls;
    // Stacks of threads that sleep are looked at in another way than of those
    // that run.
    if (I == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

/// Nanoseconds for one exception through new code.
static double exceptionCost(int Turns) {
  void (*volatile Call)(int) = thrower;
  auto Begin = std::chrono::steady_clock::now();
  for (int I = 0; I != Turns; ++I)
    try {
      Call(I);
    } catch (int) {
    }
  std::chrono::duration<double, std::nano> Taken =
      std::chrono::steady_clock::now() - Begin;
  return Taken.count() / Turns;
}

int main(int, char **Arguments) {
  for (int I = 0; I != std::atoi(Arguments[1]); ++I)
    std::thread(work).detach();
  char Line[64];
  while (std::fgets(Line, sizeof Line, stdin)) {
    unsigned long Before = Calls;
    while (Calls - Before < 1000)
      std::this_thread::yield();
    // At the first the unwinder sorts what it was told of since.
    double First = exceptionCost(1), Cost = exceptionCost(100);
    // A thread that lost the processor for a while says nothing.
    for (int I = 0; I != 20; ++I)
      Cost = std::min(Cost, exceptionCost(100));
    int (*volatile Call)(int) = number;
    std::printf("number %d wrong %lu first %.0f exception %.0f\n", Call(0),
                Wrong.load(), First, Cost);
    std::fflush(stdout);
  }
}
