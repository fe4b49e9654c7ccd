// Session's events in the words of hotjit/hotjit.h, and the calls of the
// program's callbacks with them.
//
// A callback is foreign code: it may throw, fault, or return a text that is not
// there. So it is called through C with nothing of ours on the stack that a
// jump would leave in disorder, and its text is copied under the same guard.

#include "Notice.h"
#include "Patch/GuardedCall.h"
#include "ProgramThread.h"
#include "Support/FmtSupport.h"
#include "llvm/ADT/STLExtras.h"
#include <cstring>

using namespace hotjit;
using namespace llvm;

static std::vector<std::string> functionsOf(const Event &E) {
  std::vector<std::string> Names = E.Switched;
  for (const Verdict &V : E.Verdicts)
    if (!V.Symbol.empty() && !is_contained(Names, V.Name))
      Names.push_back(V.Name);
  return Names;
}

std::string hotjit::reasonOf(const Event &E) {
  if (E.What == Event::Kind::Failed || E.What == Event::Kind::Off)
    return E.Stage.empty() || E.Stage == "compile" ? E.Message
                                                   : E.Stage + ": " + E.Message;
  std::string Text;
  if (E.What == Event::Kind::Refused)
    for (const Verdict &V : E.Verdicts)
      if (V.Kind == VerdictKind::Refused || V.Kind == VerdictKind::Pending)
        Text += fmt::format("{}{}{}", Text.empty() ? "" : "\n", V.Message,
                            V.Code ? " " + codeOf(*V.Code) : "");
  return Text;
}

std::optional<Notice> Notice::of(const Event &E, unsigned Generation) {
  Notice N;
  switch (E.What) {
  case Event::Kind::Changed:
    break;
  case Event::Kind::Refused:
  case Event::Kind::Failed:
    N.Phase = HOTJIT_PHASE_FAILED;
    break;
  case Event::Kind::Reloaded:
  case Event::Kind::Undone:
  case Event::Kind::Redone:
  case Event::Kind::Unchanged:
    N.Phase = HOTJIT_PHASE_AFTER;
    break;
  case Event::Kind::Ready:
  case Event::Kind::Diagnostics:
  case Event::Kind::Waiting:
  case Event::Kind::Settled:
  case Event::Kind::Paused:
  case Event::Kind::Resumed:
  case Event::Kind::Loaded:
  case Event::Kind::Unloaded:
  case Event::Kind::Crashed: // What is taken back is told as undone.
  case Event::Kind::Off:
    return std::nullopt;
  }
  N.Reload = E.Reload;
  N.Generation = Generation;
  if (E.What != Event::Kind::Unchanged)
    N.Functions = functionsOf(E);
  N.Types = E.Types;
  N.Files = E.Files;
  N.Message = reasonOf(E);
  return N;
}

Notice Notice::before(const Event &Preview, unsigned Generation) {
  Notice N = *of(Preview, Generation);
  N.Phase = HOTJIT_PHASE_BEFORE;
  return N;
}

static std::vector<const char *> pointers(ArrayRef<std::string> Texts) {
  std::vector<const char *> Result;
  for (const std::string &T : Texts)
    Result.push_back(T.c_str());
  Result.push_back(nullptr);
  return Result;
}

namespace {
/// One call; nothing here has a destructor.
struct CallbackCall {
  hotjit_reload_callback Callback = nullptr;
  void *User = nullptr;
  hotjit_phase Phase;
  const hotjit_reload_info *Info;
  bool HasVeto = false;
  char Veto[1024] = ""; ///< longer ones are cut

  static void run(void *Argument) {
    auto *C = static_cast<CallbackCall *>(Argument);
    const char *Text = C->Callback(C->Phase, C->Info, C->User);
    if (!Text || C->Phase != HOTJIT_PHASE_BEFORE)
      return;
    C->HasVeto = true;
    strncpy(C->Veto, Text, sizeof(C->Veto) - 1);
  }
};
} // namespace

static Verdict objection(Reason Code, std::string Message) {
  Verdict V;
  V.Kind = VerdictKind::Refused;
  V.Code = Code;
  V.Message = std::move(Message);
  return V;
}

std::optional<Verdict> hotjit::callBack(const hotjit_engine_api &Api,
                                        const Notice &N, OnFault What) {
  std::vector<const char *> Functions = pointers(N.Functions);
  std::vector<const char *> Types = pointers(N.Types);
  std::vector<const char *> Files = pointers(N.Files);
  const hotjit_reload_info Info = {sizeof(Info),     N.Reload,     N.Generation,
                                   Functions.data(), Types.data(), Files.data(),
                                   N.Message.c_str()};
  std::optional<Verdict> Objection;
  for (unsigned Index = 0;; ++Index) {
    CallbackCall Call;
    Call.Phase = N.Phase;
    Call.Info = &Info;
    if (!Api.begin_callback(Index, &Call.Callback, &Call.User))
      return Objection;
    GuardedResult Ended;
    if (What == OnFault::Leave)
      Ended = callGuarded(CallbackCall::run, &Call);
    else if (callAndCatch(CallbackCall::run, &Call))
      Ended.How = GuardedResult::Ending::Threw;
    Api.end_callback();
    if (Objection)
      continue;
    if (std::string How = describeEnding(Ended); !How.empty())
      Objection =
          objection(Reason::CallbackFailed, "a callback of the program " + How);
    else if (Call.HasVeto)
      Objection = objection(Reason::Declined,
                            fmt::format("the program declined: {}", Call.Veto));
  }
}
