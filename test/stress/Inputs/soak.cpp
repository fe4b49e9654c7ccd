// A program for a long day: threads that call what is edited all the time, one
// that sleeps, and, for each line of input, the cost of an exception.
#include "soak.h"
#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>

static std::atomic<unsigned long> Calls, Wrong;

static void work() {
  int (*volatile Call)(int) = number;
  for (int I = 0;; I = (I + 1) % 1000) {
    // number(I) is I plus the last edit's number.
    if (Call(I) < I)
      ++Wrong;
    ++Calls;
    // Stacks of threads that sleep are looked at in another way than of those
    // that run.
    if (I == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

/// Nanoseconds for one exception through new code.
static double exceptionCost() {
  constexpr int Turns = 1000;
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

int main() {
  for (int I = 0; I != 3; ++I)
    std::thread(work).detach();
  char Line[64];
  while (std::fgets(Line, sizeof Line, stdin)) {
    unsigned long Before = Calls;
    while (Calls - Before < 1000)
      std::this_thread::yield();
    exceptionCost(); // What the unwinder sorts at the first.
    double Cost = exceptionCost();
    int (*volatile Call)(int) = number;
    std::printf("number %d wrong %lu exception %.0f\n", Call(0), Wrong.load(),
                Cost);
    std::fflush(stdout);
  }
}
