#ifndef HOTJIT_TOOLS_ENGINE_PROGRAMTHREAD_H
#define HOTJIT_TOOLS_ENGINE_PROGRAMTHREAD_H

#include "Agent/EngineAbi.h"
#include "Patch/GuardedCall.h"
#include "llvm/Support/Error.h"
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace hotjit {

/// The agent's thread, which is like one of the program's own: it shares their
/// descriptors. Code of the program that hotjit calls runs there, one job at a
/// time.
class ProgramThread {
public:
  /// The code may read a file or take a lock that the program holds for a
  /// moment. After this it counts as hung.
  static constexpr uint32_t LimitMs = 5000;
  enum class Ending {
    Done,
    Late, ///< it still runs, on a thread that is left alone with it
  };

  explicit ProgramThread(hotjit_engine_api &Api) : Api(Api) {}

  /// Any engine thread. Waits. Error: there is no such thread any more, or an
  /// earlier job is late and still runs; the job has not begun.
  llvm::Expected<Ending> run(std::function<void()> Job);

private:
  struct Running;

  hotjit_engine_api &Api;
  std::mutex OneJob;
  std::shared_ptr<Running> Late; ///< the last job that was
};

/// "threw an exception"; empty if it returned.
std::string describeEnding(const GuardedResult &R);

} // namespace hotjit

#endif
