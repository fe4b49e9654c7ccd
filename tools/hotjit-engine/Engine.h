#ifndef HOTJIT_TOOLS_ENGINE_ENGINE_H
#define HOTJIT_TOOLS_ENGINE_ENGINE_H

#include "Agent/EngineAbi.h"
#include "ProgramCalls.h"
#include "ProgramThread.h"
#include "Project/GitPause.h"
#include "RealStages.h"
#include "Session/Startup.h"
#include "Threads.h"
#include "Wire/Server.h"
#include <atomic>
#include <memory>
#include <string>

namespace hotjit {

/// The engine of one process: makes the modules' objects, owns their threads.
class Engine {
public:
  Engine(const hotjit_engine_options &Options, hotjit_engine_api &Api);
  /// Starts the session's thread. Error: there is none.
  llvm::Error start();

  // What the program calls, on its threads: EngineAbi.h.
  void stop(std::string Why);
  unsigned generation() const { return LiveGeneration.load(); }
  const char *broken() const;
  std::optional<std::string> undo();
  std::optional<std::string> reload();
  std::string diagnostics();
  void safepoint() { Calls.reachSafepoint(); }

  /// Held while libgcc's or the loader's locks may be held by the engine: a
  /// child that is forked meanwhile would inherit them locked.
  std::timed_mutex ForkLock;

  /// Any thread: an invariant of hotjit does not hold.
  void reportBroken(const char *Text);
  /// Any thread: the engine cannot go on. Takes no memory and no lock; if
  /// nothing else comes, the agent says Why.
  void markBroken(const char *Why);

private:
  void runSession();
  llvm::Error prepare();
  llvm::Error openOutputs();
  llvm::Error openSocket();
  llvm::Error startSession();
  /// False: since the last look it has hardly run.
  bool programHasRun();
  /// Takes up what the program has loaded and closed since the last look.
  void lookAtModules();
  void keepTexts(const FoundUnits &Found, const hotjit::Saves &Known);
  llvm::Error initialize(ProgramAddr Function);
  llvm::Error startFence();
  void crashed(const Crash &C, const Fence::Done &Done);

  // Consent.cpp
  void ask(const Event &Preview, Session::Consent Answer);
  void tellProgram(const Event &E);
  void keepDiagnostics(const Event &E);
  /// Now, or when a thread of the program is at a safe point.
  void atSafepoint(std::function<void()> Do);
  void callBack(Notice N, Session::Consent Answer);

  // Requests.cpp
  void handle(llvm::StringRef Method, const llvm::json::Value &Params,
              wire::Reply Answer);
  llvm::Expected<llvm::json::Value> answer(llvm::StringRef Method,
                                           const llvm::json::Value &Params);
  void reload(const llvm::json::Value &Params, wire::Reply Answer);
  void reinit(const llvm::json::Value &Params, wire::Reply Answer);
  void step(bool Forward, wire::Reply Answer);
  wire::Event onWire(const Event &E) const;

  void tell(const Event &E);
  void filesChanged(FileEvents Events);
  void watch(const std::string &Path);
  void turnOff(std::string Why);

  const hotjit_engine_options Options;
  hotjit_engine_api &Api;
  RealClock Time;
  RealFileSystem Files;
  int LogDescriptor = -1;
  int EventsDescriptor = -1;
  std::unique_ptr<Log> L;
  std::string Program; ///< path of the executable
  std::unique_ptr<Image> TheImage;
  ProjectOptions Where;
  std::vector<std::string> OwnLibraries;
  Nanoseconds NextModuleLook{0};
  Nanoseconds OthersAtLook{0}; ///< what other threads had run then
  std::unique_ptr<RealStages> Passes;
  std::unique_ptr<Workers> Compiles;
  std::unique_ptr<Workers> Warms;
  std::unique_ptr<Session> TheSession;
  std::unique_ptr<Watcher> Saves;
  GitPause Pause{Files, Time};
  std::unique_ptr<wire::Server> Socket;
  std::unique_ptr<Fence> TheFence;
  std::atomic<bool> IsBroken{false}; ///< a thread may never end
  char WhyBroken[512] = "";          ///< of the first time
  std::atomic<bool> SaysWhy{false};  ///< WhyBroken is written
  std::atomic<bool> HasSaid{false};
  std::string WhyStopped;         ///< to be told; before Inbox is closed
  std::string Off;                ///< why the engine is off; empty while on
  std::optional<Event> LastEvent; ///< of an engine that is off
  std::atomic<unsigned> LiveGeneration{0};
  ProgramThread OnProgramThread;
  ProgramCalls Calls;
  std::unique_ptr<Workers> Callbacks; ///< made for the first of them
  std::mutex DiagnosticsLock;
  std::string LastDiagnostics; ///< of the last reload that ended
  unsigned LastEnded = 0;
  std::map<unsigned, std::string> Diagnostics; ///< of reloads that have not
  Mailbox Inbox;
  Thread SessionThread; ///< last: it uses all of the above
};

} // namespace hotjit

#endif
