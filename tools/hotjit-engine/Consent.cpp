// What the program has a say in: whether and when new code goes live
// (hotjit_on_reload, hotjit_safepoint), and what it asks for itself.
//
// Session asks and goes on with other things; the answer comes back as a
// message. Callbacks run on the agent's thread, in the order of what happened,
// or on the thread that is at a safe point.

#include "Engine.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"

using namespace hotjit;
using namespace llvm;

void Engine::ask(const Event &Preview, Session::Consent Answer) {
  bool IsReload = Preview.Reload != 0;
  if (Options.commit_at_safepoint) {
    std::optional<Notice> Before;
    if (IsReload)
      Before = Notice::before(Preview, LiveGeneration);
    Calls.offer(std::move(Before), std::move(Answer));
    if (!IsReload)
      return;
    // Who hears of it finds it at the next safe point.
    Event Waits;
    Waits.What = Event::Kind::Waiting;
    Waits.Reload = Preview.Reload;
    Waits.Files = Preview.Files;
    return TheSession->announce(std::move(Waits));
  }
  if (!IsReload || !Api.has_callbacks())
    return Answer(std::nullopt);
  callBack(Notice::before(Preview, LiveGeneration), std::move(Answer));
}

void Engine::atSafepoint(std::function<void()> Do) {
  if (!Options.commit_at_safepoint)
    return Do();
  Calls.offer(std::nullopt,
              [Do = std::move(Do)](std::optional<Verdict>) { Do(); });
}

static Verdict callbackFailed(std::string Why) {
  Verdict V;
  V.Kind = VerdictKind::Refused;
  V.Code = Reason::CallbackFailed;
  V.Message = std::move(Why);
  return V;
}

/// Calls back on the agent's thread; Answer, if any, gets what came of it.
void Engine::callBack(Notice N, Session::Consent Answer) {
  if (!Callbacks) {
    Expected<std::unique_ptr<Workers>> One =
        Workers::start(Time, "hotjit-calls", 1);
    if (!One) {
      std::string Problem = toString(One.takeError());
      L->error("callbacks of the program: {}", Problem);
      if (Answer)
        Answer(callbackFailed(std::move(Problem)));
      return;
    }
    Callbacks = std::move(*One);
  }
  Callbacks->run([this, N = std::move(N), Answer = std::move(Answer)] {
    auto Result = std::make_shared<std::optional<Verdict>>();
    Expected<ProgramThread::Ending> Ended =
        OnProgramThread.run([this, N, Result] {
          *Result = hotjit::callBack(Api, N, OnFault::Leave);
        });
    std::optional<Verdict> Objection;
    std::string Problem;
    if (!Ended)
      Problem = toString(Ended.takeError());
    else if (*Ended == ProgramThread::Ending::Late)
      Problem = fmt::format("a callback of the program has not returned after "
                            "{} ms; it is left alone",
                            ProgramThread::LimitMs);
    else
      Objection = std::move(*Result);
    if (!Problem.empty())
      Objection = callbackFailed(std::move(Problem));
    if (Objection)
      L->warning("reload {}: {}", N.Reload, Objection->Message);
    if (Answer)
      Inbox.post([Answer, Objection] { Answer(Objection); });
  });
}

static bool endsReload(const Event &E) {
  return E.What == Event::Kind::Reloaded || E.What == Event::Kind::Refused ||
         E.What == Event::Kind::Failed || E.What == Event::Kind::Unchanged;
}

void Engine::tellProgram(const Event &E) {
  if (Options.commit_at_safepoint && endsReload(E))
    Calls.withdraw(E.Reload);
  if (!Api.has_callbacks())
    return;
  std::optional<Notice> N = Notice::of(E, LiveGeneration);
  if (N && !Calls.collect(*N))
    callBack(std::move(*N), nullptr);
}

void Engine::keepDiagnostics(const Event &E) {
  if (E.What == Event::Kind::Diagnostics && E.Reload == LastEnded) {
    // Found out afterwards.
    std::lock_guard<std::mutex> Lock(DiagnosticsLock);
    LastDiagnostics += E.Rendered;
    return;
  }
  if (E.What == Event::Kind::Diagnostics)
    Diagnostics[E.Reload] += E.Rendered;
  if (!endsReload(E))
    return;
  LastEnded = E.Reload;
  std::string Text = std::move(Diagnostics[E.Reload]);
  Diagnostics.erase(E.Reload);
  if (E.Stage == "superseded")
    return; // Its compile was not finished.
  std::lock_guard<std::mutex> Lock(DiagnosticsLock);
  LastDiagnostics = std::move(Text);
}

//===-- On threads of the program -----------------------------------------===//

std::string Engine::diagnostics() {
  std::lock_guard<std::mutex> Lock(DiagnosticsLock);
  return LastDiagnostics;
}

std::optional<std::string> Engine::undo() {
  return Calls.request([this](ProgramCalls::Finish Done) {
    if (!Off.empty())
      return Done(Off);
    atSafepoint([this, Done] {
      Expected<Event> E = TheSession->undo();
      if (!E)
        return Done(toString(E.takeError()));
      Done(std::nullopt);
    });
  });
}

std::optional<std::string> Engine::reload() {
  return Calls.request([this](ProgramCalls::Finish Done) {
    if (!Off.empty())
      return Done(Off);
    TheSession->reload({}, [Done](const Event &E) {
      std::string Why = reasonOf(E);
      if (Why.empty())
        return Done(std::nullopt);
      Done(Why);
    });
  });
}
