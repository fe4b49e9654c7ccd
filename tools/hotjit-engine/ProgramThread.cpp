// Initializers and callbacks are the program's code. They may hang; then the
// engine goes on without them, and calls nothing more on that thread until they
// have returned: what guards such a call is there once in a process.

#include "ProgramThread.h"
#include "Support/Error.h"
#include <chrono>
#include <condition_variable>
#include <cstring>

using namespace hotjit;
using namespace llvm;

struct ProgramThread::Running {
  std::function<void()> Job;
  std::atomic<bool> Begun{false};
  std::mutex M;
  std::condition_variable Changed;
  bool Returned = false;

  void finish() {
    std::lock_guard<std::mutex> Lock(M);
    Returned = true;
    Changed.notify_all();
  }
  bool returnsWithin(std::chrono::milliseconds Limit) {
    std::unique_lock<std::mutex> Lock(M);
    return Changed.wait_for(Lock, Limit, [&] { return Returned; });
  }
};

// What hung and has just been let go is about to return.
static constexpr std::chrono::milliseconds Grace{1000};

Expected<ProgramThread::Ending> ProgramThread::run(std::function<void()> Job) {
  std::lock_guard<std::mutex> Lock(OneJob);
  if (Late && !Late->returnsWithin(Grace))
    return makeError("an initializer or callback of the program that was "
                     "called earlier still runs");
  auto Shared = std::make_shared<Running>();
  Shared->Job = std::move(Job);
  // The thread that is left alone with it owns one of these.
  auto *Argument = new std::shared_ptr<Running>(Shared);
  int Ended = Api.run(
      [](void *A) {
        auto *Own = static_cast<std::shared_ptr<Running> *>(A);
        (*Own)->Begun = true;
        (*Own)->Job();
        (*Own)->finish();
        delete Own;
      },
      Argument, LimitMs);
  if (Ended == HOTJIT_RUN_OFF) {
    delete Argument;
    return makeError("there is no thread to run the program's code on");
  }
  if (Ended == HOTJIT_RUN_DONE)
    return Ending::Done;
  if (!Shared->Begun)
    return makeError("the thread for the program's code does not get to run");
  Late = Shared;
  return Ending::Late;
}

std::string hotjit::describeEnding(const GuardedResult &R) {
  switch (R.How) {
  case GuardedResult::Ending::Returned:
    return "";
  case GuardedResult::Ending::Threw:
    return "threw an exception";
  case GuardedResult::Ending::Faulted:
    return fmt::format("ended by signal {} ({})", R.Signal,
                       strsignal(R.Signal));
  }
  return "";
}
