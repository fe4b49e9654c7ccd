// The engine of the agent's and the launcher's tests: keeps the interface of
// EngineAbi.h, says "ready", and does what the environment of the *test* (read
// before the agent cleaned it, from /proc/self/environ) asks for.

#include "Agent/EngineAbi.h"
#include "Support/Error.h"
#include "Support/Thread.h"
#include "Wire/Server.h"
#include "Wire/SocketFolder.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include <csignal>
#include <cstdio>
#include <cstring>
#include <linux/close_range.h>
#include <sched.h>
#include <unistd.h>

using namespace hotjit;
using namespace llvm;

namespace {

struct FakeEngine {
  Log L;
  std::vector<wire::Event> Past;
  std::unique_ptr<wire::Server> Socket;

  void tell(const wire::Event &E) {
    Past.push_back(E);
    Socket->broadcast(E);
  }
};

FakeEngine *TheEngine; // one in a process, as the real one

wire::Event event(wire::Event::Kind K) {
  wire::Event E;
  E.What = K;
  return E;
}

wire::Event reload(FakeEngine &Engine, StringRef Outcome) {
  wire::Event E = event(wire::Event::Kind::Reloaded);
  E.Reload = 1;
  E.Files = {"/p/a.c"};
  wire::Verdict V;
  V.Name = "f";
  V.File = "/p/a.c";
  if (Outcome == "refused") {
    E.What = wire::Event::Kind::Refused;
    V.Kind = wire::VerdictKind::Refused;
    V.Code = "HJ1402";
  } else if (Outcome == "failed") {
    wire::Event D = event(wire::Event::Kind::Diagnostics);
    D.Reload = 1;
    D.Rendered = "a.c:1:1: error: expected ';'\n";
    Engine.tell(D);
    E.What = wire::Event::Kind::Failed;
    E.Stage = "compile";
    E.Message = "the new text does not compile";
  } else if (Outcome == "partial") {
    V.Kind = wire::VerdictKind::Partial;
  } else if (Outcome == "unchanged") {
    E.What = wire::Event::Kind::Unchanged;
  }
  E.Verdicts = {V};
  Engine.tell(E);
  return E;
}

void answer(FakeEngine &Engine, StringRef Method, const json::Value &Params,
            wire::Reply R) {
  if (Method == wire::method::Log)
    return R(wire::toJSON(wire::LogReply{Engine.Past}));
  if (Method == wire::method::Reload) {
    Expected<wire::ReloadParams> P =
        wire::parse<wire::ReloadParams>(Params, "params");
    if (!P)
      return R(P.takeError());
    StringRef Name = P->Files.empty() ? StringRef() : P->Files.front();
    return R(toJSON(reload(Engine, sys::path::filename(Name))));
  }
  if (Method == wire::method::Status) {
    wire::Status S;
    S.Pid = ::getpid();
    S.Program = "fake";
    return R(toJSON(S));
  }
  if (Method == wire::method::Undo) {
    wire::Event E = event(wire::Event::Kind::Undone);
    E.Generation = 0;
    Engine.tell(E);
    return R(toJSON(E));
  }
  R(wire::notInThisVersion(Method));
}

/// What a test asks of the engine: TEST_ENGINE=... in the program's
/// environment.
std::string wish() {
  auto Text = MemoryBuffer::getFileAsStream("/proc/self/environ");
  if (!Text)
    return "";
  SmallVector<StringRef, 32> Variables;
  (*Text)->getBuffer().split(Variables, '\0');
  for (StringRef V : Variables)
    if (V.consume_front("TEST_ENGINE="))
      return V.str();
  return "";
}

hotjit_engine_api *TheApi;

void onIllegal(int Signal, siginfo_t *Info, void *Context) {
  const char Text[] = "engine first\n";
  [[maybe_unused]] ssize_t N = ::write(1, Text, sizeof(Text) - 1);
  struct sigaction Program;
  TheApi->program_action(Signal, 1, &Program);
  if (Program.sa_handler == SIG_IGN && Info->si_code <= 0)
    return;
  if (Program.sa_handler != SIG_DFL && Program.sa_handler != SIG_IGN)
    return Program.sa_sigaction(Signal, Info, Context);
  struct sigaction Default = {};
  ::sigaction(Signal, &Default, nullptr);
}

void installHandler(hotjit_engine_api *Api) {
  TheApi = Api;
  struct sigaction Ours = {};
  Ours.sa_sigaction = onIllegal;
  Ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  ::sigaction(SIGILL, &Ours, nullptr);
}

void runJob(hotjit_engine_api *Api) {
  char Name[16] = "";
  auto Run = [&] {
    return Api->run(
        [](void *Argument) {
          ::pthread_getname_np(::pthread_self(), static_cast<char *>(Argument),
                               16);
        },
        Name, 0);
  };
  // Jobs are taken when start has returned, a moment after this thread began.
  while (Run() == HOTJIT_RUN_OFF)
    ::sched_yield();
  std::printf("job ran on %s\n", Name);
  std::fflush(stdout);
}

/// Each callback once, as at a safe point; prints its vetoes.
void callBack() {
  hotjit_reload_callback Callback;
  void *User;
  hotjit_reload_info Info = {};
  for (unsigned I = 0; TheApi->begin_callback(I, &Callback, &User); ++I) {
    const char *Veto = Callback(HOTJIT_PHASE_BEFORE, &Info, User);
    std::printf("callback says %s\n", Veto ? Veto : "nothing");
    TheApi->end_callback();
  }
}

void stop(const char *) { TheEngine->Socket.reset(); }

Error start(const hotjit_engine_options &Options, hotjit_engine_api &Api) {
  TheEngine = new FakeEngine;
  if (Error E = wire::prepareSocketFolder(sys::path::parent_path(Api.socket)))
    return E;
  wire::ServerOptions Server;
  Server.SocketPath = Api.socket;
  Expected<std::unique_ptr<wire::Server>> S = wire::Server::create(
      Server,
      [](StringRef Method, const json::Value &Params, wire::Reply R) {
        answer(*TheEngine, Method, Params, std::move(R));
      },
      TheEngine->L);
  if (!S)
    return S.takeError();
  TheEngine->Socket = std::move(*S);
  wire::Event Ready = event(wire::Event::Kind::Ready);
  Ready.Pid = ::getpid();
  Ready.Socket = Api.socket;
  Ready.Units = 1;
  TheEngine->tell(Ready);
  return Error::success();
}

void printOptions(const hotjit_engine_options &O, const char *Socket) {
  auto Text = [](const char *T) { return T ? T : "(none)"; };
  std::printf("build_dir %s\nlog %s\nevents %s\nsocket %s\nruntime_dir %s\n",
              Text(O.build_dir), Text(O.log), Text(O.events), Socket,
              Text(O.runtime_dir));
  std::printf("trigger %d\ndebounce %d\nfence %d\nlauncher %d\n", O.trigger,
              int(O.debounce_ms), O.fence, O.under_launcher);
  for (const char *const *I = O.include; *I; ++I)
    std::printf("include %s\n", *I);
  for (const char *const *I = O.exclude; *I; ++I)
    std::printf("exclude %s\n", *I);
  std::fflush(stdout);
}

} // namespace

extern "C" __attribute__((visibility("default"))) int
hotjit_engine_start(const hotjit_engine_options *Options,
                    hotjit_engine_api *Api, char *Text, uint32_t Size) {
  std::string Wish = wish();
  if (Wish == "refuse") {
    std::snprintf(Text, Size, "the test says no");
    return 1;
  }
  if (Wish == "options")
    printOptions(*Options, Api->socket);
  if (Wish == "sigill")
    installHandler(Api);
  if (!Wish.empty()) {
    std::printf("engine on\n");
    std::fflush(stdout);
  }
  Api->stop = stop;
  Api->generation = [] { return 42u; };
  TheApi = Api;
  Api->undo = [](char **Why) {
    *Why = ::strdup("nothing to undo");
    return 1;
  };
  Api->reload = [](char **) { return 0; };
  Api->diagnostics = [] { return ::strdup("a.c:1: warning: x"); };
  Api->safepoint = [] { callBack(); };
  Api->want_safepoint(1);
  if (Wish == "nosocket")
    return 0;
  if (Error E = start(*Options, *Api)) {
    std::snprintf(Text, Size, "%s", toString(std::move(E)).c_str());
    return 1;
  }
  if (Wish == "job") {
    Expected<Thread> T = Thread::start("engine", [Api] { runJob(Api); });
    static Thread Kept; // joined by nobody: the program exits
    if (T)
      Kept = std::move(*T);
  }
  return 0;
}
