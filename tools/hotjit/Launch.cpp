// One thread and one poll: the program's signals, its socket, and what is to be
// written. Nothing here may make the program wait, and nothing that fails here
// may end it: without a socket, without a log, the launcher is still its
// parent.

#include "Launch.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "Wire/SocketFolder.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Errno.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"
#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace hotjit;
using namespace llvm;

// How often to look whether a terminal has left raw mode, and, where inotify
// cannot be had, for the socket: soon enough for eyes, rare enough for power.
static constexpr int LookAgainMs = 200;
// A program that ends closes its socket first; one that lives this long after
// has replaced itself or stopped the engine.
static constexpr int64_t LostPatienceMs = 1000;
static constexpr int64_t ForkedPatienceMs = 1000;

static int64_t nowMs() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch())
      .count();
}

//===-- Before the start --------------------------------------------------===//

std::vector<std::string> hotjit::programEnvironment(const char *const *Before,
                                                    const Settings &Given,
                                                    StringRef AgentPath) {
  std::vector<std::string> Result;
  std::string Preload = fmt::format("LD_PRELOAD={}", AgentPath);
  for (; *Before; ++Before) {
    StringRef Variable = *Before;
    if (Variable.consume_front("LD_PRELOAD="))
      Preload += Variable.empty() ? "" : fmt::format(":{}", Variable);
    else if (!Variable.starts_with("HOTJIT") ||
             Variable.starts_with("HOTJIT_COMMIT_AT_SAFEPOINT="))
      Result.push_back(Variable.str());
  }
  Result.push_back(Preload);
  Result.push_back("HOTJIT=1");
  Result.push_back(launcherVariable());
  for (std::string &Variable : Given.environment())
    Result.push_back(std::move(Variable));
  if (std::optional<StringRef> Log = Given.get("log");
      Log && Given.isOn("verbose"))
    Result.push_back(fmt::format("HOTJIT_LOG={}", *Log));
  return Result;
}

Expected<std::string> hotjit::findAgent(StringRef Executable) {
  StringRef Prefix = sys::path::parent_path(sys::path::parent_path(Executable));
  std::string Tried;
  for (StringRef Folder : {"lib", HOTJIT_LIBRARY_FOLDER}) {
    std::string Agent = fmt::format("{}/{}/libhotjit.so", Prefix, Folder);
    std::string Engine =
        fmt::format("{}/{}/libhotjit-engine.so", Prefix, Folder);
    bool HasAgent = ::access(Agent.c_str(), R_OK) == 0;
    if (HasAgent && ::access(Engine.c_str(), R_OK) == 0) {
      if (StringRef(Agent).find_first_of(" :") == StringRef::npos)
        return Agent;
      return makeError(
          "{}: a path with a blank or a colon cannot be preloaded; "
          "install hotjit elsewhere",
          Agent);
    }
    if (Tried.empty())
      Tried = HasAgent ? Engine : Agent;
  }
  return makeError("{}: not found; the installation is not complete", Tried);
}

static Expected<wire::Descriptor> openForAppending(StringRef Path) {
  wire::Descriptor D(::open(Path.str().c_str(),
                            O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!D)
    return makeError("{}: {}", Path, sys::StrError());
  return D;
}

static bool wantsColor(const Settings &Given) {
  StringRef When = Given.get("color").value_or("auto");
  if (When != "auto")
    return When == "always";
  const char *NoColor = ::getenv("NO_COLOR"), *Term = ::getenv("TERM");
  return ::isatty(STDERR_FILENO) && !(NoColor && *NoColor) &&
         !(Term && StringRef(Term) == "dumb");
}

Expected<std::unique_ptr<Launch>> Launch::create(const Settings &Given) {
  Files Opened;
  std::optional<StringRef> Events = Given.get("events"), Log = Given.get("log");
  Opened.EventsOnStderr = Events == "-";
  for (auto [Path, File] :
       {std::pair(Events, &Opened.Events), std::pair(Log, &Opened.Log)}) {
    if (!Path || *Path == "-")
      continue;
    Expected<wire::Descriptor> D = openForAppending(*Path);
    if (!D)
      return D.takeError();
    *File = std::move(*D);
  }
  bool Quiet = Given.isOn("quiet") || Opened.EventsOnStderr;
  wire::RenderOptions Render;
  Render.Color = wantsColor(Given);
  Render.Verbose = Given.isOn("verbose");
  bool Asks = Given.get("on-refusal") == "ask";
  return std::unique_ptr<Launch>(
      new Launch(std::move(Opened), Quiet, Asks, Render));
}

Launch::Launch(Files Open, bool Quiet, bool Asking, wire::RenderOptions Render)
    : Opened(std::move(Open)), Quiet(Quiet), Screen(Render),
      Plain({.Color = false, .Verbose = Render.Verbose}),
      Stderr(STDERR_FILENO) {
  if (Opened.Events)
    Events.emplace(Opened.Events.get());
  if (Asking)
    Asks.emplace();
}

//===-- While the program runs --------------------------------------------===//

/// Text is whole lines.
void Launch::say(StringRef Text) {
  if (!Quiet)
    Stderr.add(Text);
}

void Launch::show(const wire::Event &E) {
  IsOff |= E.What == wire::Event::Kind::Off;
  say(Screen.render(E));
  std::string Json = formatv("{0}\n", wire::toJSON(E));
  if (Opened.EventsOnStderr)
    Stderr.add(Json);
  if (Events)
    Events->add(Json);
  if (Opened.Log) {
    std::string Lines = Plain.render(E);
    // A full disk is no reason to disturb anybody.
    [[maybe_unused]] ssize_t N =
        ::write(Opened.Log.get(), Lines.data(), Lines.size());
  }
}

/// What happens now, not before this was connected.
void Launch::happened(const wire::Event &E) {
  if (Asks)
    showAndAsk(E);
  else
    show(E);
  Stderr.flush();
  if (E.What != wire::Event::Kind::Reloaded || HasToldOfForked)
    return;
  if (Forked)
    Forked->Again = true;
  else
    Forked = {nowMs(), findDescendants()};
}

void Launch::showAndAsk(const wire::Event &E) {
  if (E.What == wire::Event::Kind::Changed)
    Asks->withdraw(); // A save is an answer.
  Asks->interrupt();
  show(E);
  Stderr.flush();
  if (Question::isAbout(E))
    askAbout(E);
  else
    Asks->askAgain();
}

void Launch::askAbout(const wire::Event &E) {
  std::string Why = Asks->whyNot();
  if (Why.empty()) {
    bool IsThere = ::isatty(STDERR_FILENO) && !Quiet;
    return Asks->ask(E, IsThere ? "" : wire::Renderer({}).render(E));
  }
  if (!std::exchange(HasSaidWhyNot, true))
    say(fmt::format("[hotjit] note: nobody can be asked what to do: {}; the "
                    "old code is kept\n",
                    Why));
}

void Launch::takeAnswer(const ChildProcess &Child) {
  std::vector<std::string> Files = Asks->files();
  std::optional<Question::Answer> Given = Asks->answer();
  if (!Given)
    return;
  Asks->withdraw();
  switch (*Given) {
  case Question::Answer::Keep:
    return;
  case Question::Answer::Retry:
    return retry(std::move(Files));
  case Question::Answer::Quit:
    ::kill(Child.pid(), SIGTERM);
    return;
  }
}

void Launch::retry(std::vector<std::string> Files) {
  wire::ReloadParams Params;
  Params.Files = std::move(Files);
  auto Done = [this](Expected<json::Value> V) {
    if (!V) // Else its events are here.
      say(fmt::format("[hotjit] {}\n", toString(V.takeError())));
  };
  if (Socket)
    consumeError(Socket->send(wire::method::Reload, toJSON(Params), Done));
}

void Launch::connect() {
  Socket = Waiting->tryConnect([this](const wire::Event &E) {
    if (Listening) // what came before is in the answer to `log`
      happened(E);
  });
  if (!Socket)
    return;
  Waiting.reset();
  auto Greeted = [](Expected<json::Value> V) { consumeError(V.takeError()); };
  auto Past = [this](Expected<json::Value> V) {
    Listening = true;
    Expected<wire::LogReply> Log =
        V ? wire::parse<wire::LogReply>(*V, "log") : V.takeError();
    if (!Log) {
      WhyNoPast = toString(Log.takeError());
      return;
    }
    for (const wire::Event &E : Log->Events)
      show(E);
  };
  wire::InitializeParams Params;
  Params.Client = "hotjit run";
  Error Failed =
      Socket->send(wire::method::Initialize, toJSON(Params), Greeted);
  if (!Failed)
    Failed = Socket->send(wire::method::Log, nullptr, Past);
  if (Failed) {
    consumeError(std::move(Failed)); // it has ended: SIGCHLD comes
    Socket.reset();
  }
}

void Launch::receive() {
  if (Error E = Socket->receive()) {
    consumeError(std::move(E));
    Socket.reset();
    LostAt = nowMs();
  }
}

void Launch::checkLostConnection() {
  if (!LostAt || nowMs() - *LostAt < LostPatienceMs)
    return;
  LostAt.reset();
  if (IsOff) // and said why
    return;
  if (!WhyNoPast.empty())
    return say(fmt::format("[hotjit] off: {}\n", WhyNoPast));
  say("[hotjit] off: the program has closed its socket (a program that it "
      "executes in its place starts without hotjit)\n");
}

/// An edit went live, and who expects to see it may look at a process that the
/// program has forked. What has only just been forked is about to execute
/// another program, most likely: it gets a second.
void Launch::lookForForked(pid_t Program) {
  if (!Forked || nowMs() - Forked->SeenAt < ForkedPatienceMs)
    return;
  std::vector<pid_t> Still = findDescendants();
  llvm::erase_if(Still, [&](pid_t Process) {
    return Process == Program || !is_contained(Forked->Processes, Process);
  });
  if (std::exchange(Forked, std::nullopt)->Again)
    Forked = {nowMs(), findDescendants()};
  std::string Text = describeForked(Still, Program);
  if (Text.empty())
    return;
  HasToldOfForked = true;
  Forked.reset();
  say(fmt::format("[hotjit] note: {}\n", Text));
}

void Launch::waitForSomething(const ChildProcess &Child) {
  std::vector<pollfd> Polls = {{Child.descriptor(), POLLIN, 0}};
  bool LookAgain = Stderr.isHeldBack() || LostAt || Forked;
  if (Waiting && Waiting->descriptor() >= 0)
    Polls.push_back({Waiting->descriptor(), POLLIN, 0});
  else if (Waiting)
    LookAgain = true;
  if (Socket)
    Polls.push_back({Socket->descriptor(), POLLIN, 0});
  if (Asks && Asks->isOpen())
    Polls.push_back({Asks->descriptor(), POLLIN, 0});
  if (Stderr.wantsToWrite())
    Polls.push_back({Stderr.descriptor(), POLLOUT, 0});
  if (Events && Events->wantsToWrite())
    Polls.push_back({Events->descriptor(), POLLOUT, 0});
  ::poll(Polls.data(), Polls.size(), LookAgain ? LookAgainMs : -1);
}

int Launch::watch(ChildProcess &Child, std::string SocketPath) {
  Waiting.emplace(std::move(SocketPath));
  while (true) {
    if (Waiting)
      connect();
    if (Socket)
      receive();
    if (Asks && Asks->isOpen())
      takeAnswer(Child);
    Stderr.flush();
    if (Events)
      Events->flush();
    if (std::optional<int> Status = Child.handleSignals()) {
      finish(*Status);
      return *Status;
    }
    checkLostConnection();
    lookForForked(Child.pid());
    waitForSomething(Child);
  }
}

/// The program has ended; what it said last may still be in the socket.
void Launch::finish(int Status) {
  if (Socket)
    receive();
  if (Asks)
    Asks->withdraw();
  if (WIFEXITED(Status))
    if (std::string Left = describeDescendants(findDescendants());
        !Left.empty())
      say(fmt::format("[hotjit] off: {}\n", Left));
  Stderr.finish();
  if (Events)
    Events->finish();
}
