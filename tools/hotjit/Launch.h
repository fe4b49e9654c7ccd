#ifndef HOTJIT_TOOLS_HOTJIT_LAUNCH_H
#define HOTJIT_TOOLS_HOTJIT_LAUNCH_H

#include "ChildProcess.h"
#include "Descendants.h"
#include "Output.h"
#include "Question.h"
#include "Settings.h"
#include "SocketWait.h"
#include "Wire/Render.h"
#include <optional>
#include <string>
#include <vector>

namespace hotjit {

/// The environment of the program: Before without its HOTJIT* variables, with
/// the agent preloaded and told what Given says. AgentPath: of libhotjit.so.
std::vector<std::string> programEnvironment(const char *const *Before,
                                            const Settings &Given,
                                            llvm::StringRef AgentPath);

/// The libhotjit.so that belongs to the hotjit at Executable. Error: it or the
/// engine is not there, or cannot be named in LD_PRELOAD.
llvm::Expected<std::string> findAgent(llvm::StringRef Executable);

/// What `hotjit run` does while the program runs: passes on signals, and as a
/// client of its socket prints what happens.
class Launch {
public:
  /// Opens the files that are asked for.
  static llvm::Expected<std::unique_ptr<Launch>> create(const Settings &Given);

  /// Until the program has ended; returns the status of waitpid(2).
  int watch(ChildProcess &Child, std::string SocketPath);

private:
  struct Files {
    wire::Descriptor Log;
    wire::Descriptor Events;
    bool EventsOnStderr = false;
  };
  Launch(Files Opened, bool Quiet, bool Asks, wire::RenderOptions Render);

  void connect();
  void receive();
  void show(const wire::Event &E);
  void happened(const wire::Event &E);
  void showAndAsk(const wire::Event &E);
  void askAbout(const wire::Event &E);
  void takeAnswer(const ChildProcess &Child);
  void retry(std::vector<std::string> Files);
  void say(llvm::StringRef Text);
  void waitForSomething(const ChildProcess &Child);
  void checkLostConnection();
  void lookForForked(pid_t Program);
  void finish(int Status);

  Files Opened;
  bool Quiet;
  std::optional<Question> Asks; ///< --on-refusal ask
  /// What descended from the program when an edit went live.
  struct Descended {
    int64_t SeenAt; ///< ms
    std::vector<pid_t> Processes;
    bool Again = false; ///< another edit went live since
  };
  std::optional<Descended> Forked;
  bool HasToldOfForked = false; ///< that edits do not reach them
  bool HasSaidWhyNot = false;   ///< that nobody can be asked
  wire::Renderer Screen;
  wire::Renderer Plain; ///< for the log: no colours
  Output Stderr;
  std::optional<Output> Events;
  std::optional<SocketWait> Waiting;
  std::unique_ptr<wire::Client> Socket;
  bool Listening = false; ///< the past has been shown: events go on from there
  bool IsOff = false;     ///< the engine has turned itself off
  std::string WhyNoPast;  ///< the answer to `log` was an error
  std::optional<int64_t> LostAt; ///< milliseconds: the socket was closed
};

} // namespace hotjit

#endif
