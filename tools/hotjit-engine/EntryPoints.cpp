// The C interface that the agent calls (lib/Agent/EngineAbi.h), and what this
// library must replace of the C and C++ runtimes to live inside a program that
// it does not own.

#include "Engine.h"
#include "Faults.h"
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace hotjit;

// The destructors of LLVM's static objects would run while our threads still
// use them, at every exit of the program. They never run: nothing they do
// matters to a process that ends.
extern "C" int __cxa_atexit(void (*)(void *), void *, void *) { return 0; }

// One engine in a process; the C interface has no handle. Never freed once it
// ran: the program may exit while its threads work.
static Engine *TheEngine;

static void report(const char *Why) {
  if (TheEngine)
    TheEngine->reportBroken(Why);
}

static void mark(const char *Why) {
  if (TheEngine)
    TheEngine->markBroken(Why);
}

// Not deleted: another thread of the program may be about to call.
static void stop(const char *Why) { TheEngine->stop(Why ? Why : ""); }

static unsigned generation() { return TheEngine->generation(); }
static const char *broken() { return TheEngine->broken(); }
static void safepoint() { TheEngine->safepoint(); }

/// The caller frees it.
static char *copied(const std::string &Text) { return strdup(Text.c_str()); }

static int failed(const std::optional<std::string> &Problem, char **Why) {
  if (Problem)
    *Why = copied(*Problem);
  return Problem.has_value();
}

static int undo(char **Why) { return failed(TheEngine->undo(), Why); }
static int reload(char **Why) { return failed(TheEngine->reload(), Why); }

static char *diagnostics() {
  std::string Text = TheEngine->diagnostics();
  return Text.empty() ? nullptr : copied(Text);
}

static int guard(void (*F)(void *), void *Argument, char *Error,
                 uint32_t ErrorSize) {
  return guardProgramCall(F, Argument, Error, ErrorSize) ? 0 : 1;
}

// A program that forks inside a library's constructor holds the loader's lock,
// which a link in flight may be waiting for: then nobody could go on.
static constexpr auto LongestForkWait = std::chrono::seconds(2);

/// Set around fork(2), by the one thread that forks: libc's own lock for
/// pthread_atfork handlers lets only one at a time.
static bool HoldsForkLock = false;

static void forkPrepare() {
  HoldsForkLock =
      TheEngine && TheEngine->ForkLock.try_lock_for(LongestForkWait);
}

static void forkDone() {
  if (HoldsForkLock)
    TheEngine->ForkLock.unlock();
  HoldsForkLock = false;
}

static void forkChild() {
  forkDone();
  turnFenceOff();
  // The child has none of its threads. What they own is left as it is.
  TheEngine = nullptr;
}

extern "C" __attribute__((visibility("default"))) int
hotjit_engine_start(const hotjit_engine_options *Options,
                    hotjit_engine_api *Api, char *Error, uint32_t ErrorSize) {
  if (Options->abi != HOTJIT_ENGINE_ABI || Api->abi != HOTJIT_ENGINE_ABI) {
    snprintf(Error, ErrorSize,
             "libhotjit.so and libhotjit-engine.so are of two versions");
    return 1;
  }
  if (llvm::Error E = surviveFaults(Api->program_action, {mark, report})) {
    snprintf(Error, ErrorSize, "%s", toString(std::move(E)).c_str());
    return 1;
  }
  TheEngine = new Engine(*Options, *Api);
  if (llvm::Error E = TheEngine->start()) {
    snprintf(Error, ErrorSize, "%s", toString(std::move(E)).c_str());
    return 1;
  }
  Api->stop = stop;
  Api->generation = generation;
  Api->broken = broken;
  Api->guard = guard;
  Api->undo = undo;
  Api->reload = reload;
  Api->diagnostics = diagnostics;
  Api->safepoint = safepoint;
  Api->fork_prepare = forkPrepare;
  Api->fork_parent = forkDone;
  Api->fork_child = forkChild;
  return 0;
}
