// The composition root. One thread, "hotjit-session", makes everything and
// then runs Session; the socket is there first, so that a client hears of it
// when the rest cannot be made.
//
// Nothing here may end the program: what goes wrong turns the engine off, and
// the program runs on with the code that is live.

#include "Engine.h"
#include "Bridge.h"
#include "Patch/GuardedCall.h"
#include "Project/Watcher.h"
#include "Reserve.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "Wire/SocketFolder.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Threading.h"
#include "llvm/Support/raw_ostream.h"
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <unistd.h>

using namespace hotjit;
using namespace llvm;

static std::vector<std::string> toVector(const char *const *Strings) {
  std::vector<std::string> Result;
  for (; Strings && *Strings; ++Strings)
    Result.push_back(*Strings);
  return Result;
}

static std::string orEmpty(const char *Text) { return Text ? Text : ""; }

// The program may end when it goes on, and the last that was said with it.
static constexpr auto LastWords = std::chrono::milliseconds(500);

Engine::Engine(const hotjit_engine_options &Options, hotjit_engine_api &Api)
    : Options(Options), Api(Api), OnProgramThread(Api),
      Calls(Api,
            [this](std::function<void()> F) { Inbox.post(std::move(F)); }) {}

Error Engine::start() {
  Expected<Thread> T =
      Thread::start("hotjit-session", [this] { runSession(); });
  if (!T)
    return T.takeError();
  SessionThread = std::move(*T);
  return Error::success();
}

void Engine::stop(std::string Why) {
  Calls.end(Why.empty() ? "hotjit was stopped" : Why);
  WhyStopped = std::move(Why);
  Inbox.close();
  if (!IsBroken) // Else it may hang, and the program must not.
    SessionThread.join();
}

void Engine::runSession() {
  // Every thread made from here on shares this table: the program cannot close
  // our descriptors, and its children do not get them.
  close_range(3, ~0U, CLOSE_RANGE_UNSHARE);
  // Nor does its chroot(2), chdir(2) or umask(2) change what our paths lead to.
  unshare(CLONE_FS);
  if (Error E = prepare())
    turnOff(toString(std::move(E)));
  auto Deadline = [&]() -> std::optional<Nanoseconds> {
    if (!TheSession || !Off.empty())
      return std::nullopt;
    Nanoseconds Next = NextModuleLook;
    for (std::optional<Nanoseconds> Other :
         {TheSession->nextWake(), Pause.nextLook()})
      Next = std::min(Next, Other.value_or(Next));
    return Next;
  };
  while (std::optional<std::function<void()>> Message =
             Inbox.take(Time, Deadline())) {
    // Before the message: what was saved may be of what was just loaded.
    if (TheSession && Off.empty() && (*Message || programHasRun()))
      lookAtModules();
    if (*Message)
      (*Message)();
    else if (TheSession && Off.empty())
      TheSession->wake();
    std::optional<FileEvents> Held = Pause.look();
    if (Held && TheSession && Off.empty())
      TheSession->filesChanged(*Held);
  }
  if (!WhyStopped.empty() && Off.empty())
    turnOff(WhyStopped);
  if (Socket && !WhyStopped.empty())
    Socket->drain(LastWords);
  if (IsBroken) {
    turnFenceOff();
    return;
  }
  TheFence.reset();
  Saves.reset();
  Warms.reset(); // It gives jobs to the others.
  Compiles.reset();
  Callbacks.reset();
  TheSession.reset();
  if (Passes)
    Passes->endThreads();
  Socket.reset();
}

Error Engine::prepare() {
  L = std::make_unique<Log>();
  if (Error E = openOutputs())
    return E;
  if (Error E = openSocket())
    return E;
  return startSession();
}

Error Engine::openOutputs() {
  auto Open = [](const char *Path) {
    return open(Path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  };
  if (Options.log) {
    LogDescriptor = Open(Options.log);
    if (LogDescriptor < 0)
      return makeError("{}: {}", Options.log, strerror(errno));
  }
  L = std::make_unique<Log>(LogDescriptor,
                            Options.verbose ? LogLevel::Debug : LogLevel::Info);
  if (Options.events) {
    bool Stderr = StringRef(Options.events) == "-";
    EventsDescriptor = Stderr ? STDERR_FILENO : Open(Options.events);
    if (EventsDescriptor < 0)
      return makeError("{}: {}", Options.events, strerror(errno));
  }
  return Error::success();
}

Error Engine::openSocket() {
  Expected<std::string> Executable = Files.realPath("/proc/thread-self/exe");
  if (!Executable)
    return Executable.takeError();
  Program = *Executable;
  StringRef Folder = sys::path::parent_path(Api.socket);
  if (Folder == wire::socketFolder(orEmpty(Options.runtime_dir), getuid()))
    if (Error E = wire::prepareSocketFolder(Folder))
      return E;
  wire::ServerOptions Server;
  Server.SocketPath = Api.socket;
  Server.Greeting.Version = HOTJIT_VERSION;
  Server.Greeting.Pid = getpid();
  Server.Greeting.Program = Program;
  for (StringRef Method :
       {wire::method::Status, wire::method::Reload, wire::method::Undo,
        wire::method::Redo, wire::method::Pause, wire::method::Resume,
        wire::method::Reinit, wire::method::Explain, wire::method::Functions,
        wire::method::Log, wire::method::DidOpen})
    Server.Greeting.Capabilities.push_back(Method.str());
  auto Made = wire::Server::create(
      std::move(Server),
      [this](StringRef Method, const json::Value &Params, wire::Reply Answer) {
        auto Held = std::make_shared<wire::Reply>(std::move(Answer));
        Inbox.post([this, Method = Method.str(), Params, Held] {
          handle(Method, Params, std::move(*Held));
        });
      },
      *L);
  if (!Made)
    return Made.takeError();
  Socket = std::move(*Made);
  return Error::success();
}

/// The files that must not be seen as parts of the program.
static std::vector<std::string> ownLibraries(const FileSystem &FS) {
  std::vector<std::string> Result;
  Dl_info Here;
  if (!dladdr(reinterpret_cast<void *>(&ownLibraries), &Here))
    return Result;
  SmallString<256> Folder(sys::path::parent_path(Here.dli_fname));
  for (const char *Name : {"libhotjit.so", "libhotjit-engine.so"}) {
    SmallString<256> Path(Folder);
    sys::path::append(Path, Name);
    if (Expected<std::string> Real = FS.realPath(Path))
      Result.push_back(*Real);
    else
      consumeError(Real.takeError());
  }
  return Result;
}

/// Bytes for parsed preambles: as asked for, else a quarter of what is free.
static size_t cacheLimit(uint32_t Megabytes) {
  if (Megabytes != UINT32_MAX)
    return static_cast<size_t>(Megabytes) << 20;
  long Pages = sysconf(_SC_AVPHYS_PAGES), Size = sysconf(_SC_PAGESIZE);
  return Pages > 0 && Size > 0 ? static_cast<size_t>(Pages) * Size / 4 : 0;
}

/// A compile takes some hundred megabytes of memory; a header edit of many
/// units uses the cores that the program may use.
static unsigned compileThreads() {
  constexpr unsigned Most = 8;
  return std::clamp(hardware_concurrency().compute_thread_count(), 1u, Most);
}

Error Engine::startSession() {
  Nanoseconds Started = Time.now();
  OwnLibraries = ownLibraries(Files);
  Expected<std::unique_ptr<Image>> I =
      Image::ofThisProcess(Files, OwnLibraries);
  if (!I)
    return I.takeError();
  TheImage = std::move(*I);

  Where.BuildDirectory = orEmpty(Options.build_dir);
  if (Options.cache_dir)
    Where.CacheFolder = std::string(Options.cache_dir) + "/texts";
  Where.Include = toVector(Options.include);
  Where.Exclude = toVector(Options.exclude);
  Expected<Project> P = findProject(Files, Time, *TheImage, Where);
  if (!P)
    return P.takeError();

  Expected<std::unique_ptr<RealStages>> Stages = RealStages::create(
      *TheImage, *L, ForkLock, [this](ProgramAddr F) { return initialize(F); });
  if (!Stages)
    return Stages.takeError();
  Passes = std::move(*Stages);
  Passes->ChecksBodies = Options.check_compile > 0;
  Passes->setCacheLimit(cacheLimit(Options.cache_memory_mb));
  if (Options.compile_limit_s != UINT32_MAX && Options.compile_limit_s != 0)
    Passes->Limits.Time = std::chrono::seconds(Options.compile_limit_s);
  if (Options.compile_memory_mb != UINT32_MAX)
    Passes->Limits.Memory = size_t(Options.compile_memory_mb) << 20;
  auto Compilers = Workers::start(Time, "hotjit-compile", compileThreads());
  if (!Compilers)
    return Compilers.takeError();
  auto Warmers = Workers::start(Time, "hotjit-warm", 1, /*Nice=*/10);
  if (!Warmers)
    return Warmers.takeError();
  Compiles = std::move(*Compilers);
  Warms = std::move(*Warmers);

  Expected<std::unique_ptr<Watcher>> W =
      Watcher::create(Time, [this](FileEvents Events) {
        Inbox.post(
            [this, Events = std::move(Events)] { filesChanged(Events); });
      });
  if (!W)
    return W.takeError();
  Saves = std::move(*W);
  for (const auto &File : P->Known.texts().files())
    watch(File.getKey().str());

  std::string Polls = Saves->polling();

  SessionOptions How;
  if (Expected<std::string> Real = Files.realPath(P->Found.CommandsPath)) {
    How.CommandsPath = *Real;
    watch(*Real);
    watch(
        P->Found.CommandsPath); // A link, perhaps, that leads elsewhere later.
  } else {
    consumeError(Real.takeError());
  }
  How.Manual = Options.trigger == HOTJIT_TRIGGER_MANUAL;
  if (Options.debounce_ms != UINT32_MAX)
    How.Quiet.Quiet = std::chrono::milliseconds(Options.debounce_ms);
  FoundUnits &Found = P->Found;
  Event Ready;
  Ready.What = Event::Kind::Ready;
  Ready.Units = Found.Units.size();
  Ready.Functions = TheImage->functionCount();
  Ready.Stale = Found.Stale;
  Ready.Notes = Found.Notes;
  if (Options.on_refusal == HOTJIT_ON_REFUSAL_ASK)
    Ready.Notes.push_back("HOTJIT_ON_REFUSAL=ask: only 'hotjit run' asks; the "
                          "old code is kept");
  if (!Polls.empty())
    Ready.Notes.push_back(Polls);
  keepTexts(Found, P->Known);
  std::vector<TextSnapshot::Change> Superseded = std::move(Found.Superseded);
  TheSession = std::make_unique<Session>(
      How, std::move(Found.Units), std::move(P->Known),
      Session::Surroundings{
          Files, Time, *Passes, *Compiles, *Warms, *L,
          [this](std::function<void()> F) { Inbox.post(std::move(F)); },
          [this](const Event &E) { tell(E); },
          [this](const std::string &Path) { watch(Path); },
          [this, Listed = std::move(Found.Listed)](
              const CompileCommands &Commands, hotjit::Saves &Known) {
            return findAddedUnits(Files, *TheImage, Where, Commands, Listed,
                                  Known);
          },
          [this](const Event &Preview, Session::Consent Answer) {
            ask(Preview, std::move(Answer));
          }});
  TheSession->startFrom(Superseded);
  bool HasFence =
      Options.fence > 0 || (Options.fence < 0 && Options.under_launcher > 0);
  if (HasFence)
    if (Error E = startFence())
      return E;
  // A file saved while we were reading would have gone unnoticed.
  FileEvents Again;
  Again.Rescan = true;
  Again.Time = Time.now();
  Ready.Elapsed = Time.now() - Started;
  TheSession->announce(Ready);
  TheSession->filesChanged(Again);
  TheSession->catchUp();
  TheSession->warmUp();
  return Error::success();
}

// No call tells that the program has opened a plugin; a file that is saved is
// not watched before that is known. Nobody edits one sooner than this.
static constexpr Nanoseconds ModuleLookInterval =
    std::chrono::milliseconds(500);

// Who has run for less since the last look has most likely opened nothing. If
// it has, that is seen a second later: hotjit's own threads, which cannot be
// told from the program's here, run for this long in one or two.
static constexpr Nanoseconds LeastRun = std::chrono::microseconds(100);

static Nanoseconds timeOn(clockid_t Clock) {
  timespec T{};
  ::clock_gettime(Clock, &T);
  return std::chrono::seconds(T.tv_sec) + Nanoseconds(T.tv_nsec);
}

/// What other threads have run altogether.
static Nanoseconds timeOfOthers() {
  return timeOn(CLOCK_PROCESS_CPUTIME_ID) - timeOn(CLOCK_THREAD_CPUTIME_ID);
}

bool Engine::programHasRun() {
  NextModuleLook = Time.now() + ModuleLookInterval;
  return timeOfOthers() - OthersAtLook >= LeastRun;
}

void Engine::lookAtModules() {
  NextModuleLook = Time.now() + ModuleLookInterval;
  OthersAtLook = timeOfOthers();
  if (TheImage->isCurrent())
    return;
  Image::Changes Changes = TheImage->update(Files, OwnLibraries);
  for (size_t Module : Changes.Closed)
    TheSession->moduleClosed(TheImage->modules()[Module]);
  for (size_t Module : Changes.Loaded)
    TheSession->moduleLoaded(
        TheImage->modules()[Module], [&](hotjit::Saves &Known) {
          Expected<FoundUnits> Found =
              findUnits(Files, *TheImage, Where, {Module}, Known);
          if (Found) {
            keepTexts(*Found, Known);
            return std::move(*Found);
          }
          L->warning("{}: {}", TheImage->modules()[Module].Path,
                     toString(Found.takeError()));
          return FoundUnits();
        });
}

/// For the next start of what Found is about: in the background.
void Engine::keepTexts(const FoundUnits &Found, const hotjit::Saves &Known) {
  Warms->run([Texts = builtTexts(Files, *TheImage, Found, Known), this] {
    for (const BuiltTexts &Module : Texts)
      if (Error E =
              TextArchive(Where.CacheFolder).keep(Module.Key, Module.Texts))
        L->warning("{}", toString(std::move(E)));
  });
}

void Engine::filesChanged(FileEvents Events) {
  if (!TheSession || !Off.empty())
    return;
  if (std::optional<FileEvents> Now = Pause.take(std::move(Events)))
    TheSession->filesChanged(*Now);
}

void Engine::watch(const std::string &Path) {
  if (Error E = Saves->watch(sys::path::parent_path(Path)))
    L->error("{}: saves will not be seen: {}", Path, toString(std::move(E)));
}

Error Engine::initialize(ProgramAddr Function) {
  struct Call {
    ProgramAddr Function;
    GuardedResult Result;
  };
  auto The = std::make_shared<Call>(Call{Function, {}});
  Expected<ProgramThread::Ending> Ended =
      OnProgramThread.run([The] { The->Result = callGuarded(The->Function); });
  if (!Ended)
    return Ended.takeError();
  if (*Ended == ProgramThread::Ending::Late)
    return makeError("the initializer of a new variable has not returned "
                     "after {} ms; its thread is left alone",
                     ProgramThread::LimitMs);
  if (std::string How = describeEnding(The->Result); !How.empty())
    return makeError("the initializer of a new variable {}", How);
  return Error::success();
}

Error Engine::startFence() {
  std::vector<AddrRange> Built;
  for (const ImageModule &M : TheImage->modules())
    if (M.HasDebugInfo)
      Built.push_back(M.Text);
  publishBuiltCode(Built);
  Expected<std::unique_ptr<Fence>> F = Fence::start(
      [this](Crash C, Fence::Done Done) {
        Inbox.post([this, C = std::move(C), Done = std::move(Done)] {
          crashed(C, Done);
        });
      },
      [this](ProgramAddr A, uint64_t Size) {
        return TheImage->fileBytes(A, Size);
      });
  if (!F)
    return F.takeError();
  TheFence = std::move(*F);
  return Error::success();
}

void Engine::crashed(const Crash &C, const Fence::Done &Done) {
  if (!TheSession || !Off.empty())
    return Done("");
  Event E = TheSession->crashed(C);
  if (Socket && C.What == Crash::Next::Ends)
    Socket->drain(LastWords);
  const char *Signal = ::sigabbrev_np(E.Signal);
  Done(fmt::format("SIG{} in {}, generation {}: {}", Signal ? Signal : "?",
                   E.CrashedFunction, E.Generation.value_or(0), E.Action));
}

void Engine::tell(const Event &E) {
  if (E.Generation)
    LiveGeneration = *E.Generation;
  keepReserve(); // For what may end this one.
  keepDiagnostics(E);
  tellProgram(E);
  wire::Event W = onWire(E);
  L->info("{}", formatv("{0}", toJSON(W)).str());
  if (Socket)
    Socket->broadcast(W);
  if (EventsDescriptor >= 0) {
    std::string Line = formatv("{0}\n", toJSON(W));
    raw_fd_ostream OS(EventsDescriptor, /*shouldClose=*/false, true);
    OS << Line;
    OS.clear_error();
  }
}

const char *Engine::broken() const {
  return SaysWhy && !HasSaid ? WhyBroken : nullptr;
}

void Engine::markBroken(const char *Why) {
  if (IsBroken.exchange(true))
    return;
  snprintf(WhyBroken, sizeof WhyBroken, "%s", Why);
  SaysWhy = true;
}

void Engine::reportBroken(const char *Text) {
  std::string Why = std::string("a defect in hotjit: ") + Text;
  markBroken(Why.c_str());
  // The session thread may be the one that cannot go on.
  Calls.end(Why);
  Inbox.post([this, Why = std::move(Why)] {
    if (Off.empty())
      turnOff(Why);
  });
}

void Engine::turnOff(std::string Why) {
  HasSaid = true;
  if (TheSession)
    TheSession->giveUp(Why);
  Event E;
  E.What = Event::Kind::Off;
  E.Time = Time.now();
  E.Message = Why;
  tell(E);
  LastEvent = std::move(E);
  Off = std::move(Why);
  Calls.end(Off);
  Saves.reset();
  Api.off(Off.c_str(), Socket || EventsDescriptor >= 0);
}
