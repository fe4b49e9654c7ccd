// What clients may ask of the engine. Runs on the session thread.

#include "Bridge.h"
#include "Engine.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include <unistd.h>

using namespace hotjit;
using namespace llvm;

wire::Event Engine::onWire(const Event &E) const {
  wire::Event W = toWire(E);
  if (E.What == Event::Kind::Ready) {
    W.Pid = getpid();
    W.Socket = Api.socket;
  }
  return W;
}

void Engine::handle(StringRef Method, const json::Value &Params,
                    wire::Reply Answer) {
  if (!Off.empty() && Method != wire::method::Log)
    return Answer(makeError("hotjit is off in this program: {}", Off));
  if (Method == wire::method::Reload)
    return reload(Params, std::move(Answer));
  if (Method == wire::method::Reinit)
    return reinit(Params, std::move(Answer));
  if (Method == wire::method::Undo)
    return step(/*Forward=*/false, std::move(Answer));
  if (Method == wire::method::Redo)
    return step(/*Forward=*/true, std::move(Answer));
  Answer(answer(Method, Params));
}

void Engine::reinit(const json::Value &Params, wire::Reply Answer) {
  Expected<wire::ReinitParams> P =
      wire::parse<wire::ReinitParams>(Params, "params");
  if (!P)
    return Answer(P.takeError());
  auto Held = std::make_shared<wire::Reply>(std::move(Answer));
  TheSession->reinit(P->Variable, [Held](Error Failed) {
    if (Failed)
      return (*Held)(std::move(Failed));
    (*Held)(json::Value(nullptr));
  });
}

void Engine::reload(const json::Value &Params, wire::Reply Answer) {
  Expected<wire::ReloadParams> P =
      wire::parse<wire::ReloadParams>(Params, "params");
  if (!P)
    return Answer(P.takeError());
  auto Held = std::make_shared<wire::Reply>(std::move(Answer));
  TheSession->reload(std::move(P->Files), [this, Held](const Event &E) {
    (*Held)(toJSON(onWire(E)));
  });
}

void Engine::step(bool Forward, wire::Reply Answer) {
  auto Held = std::make_shared<wire::Reply>(std::move(Answer));
  atSafepoint([this, Forward, Held] {
    Expected<Event> E = Forward ? TheSession->redo() : TheSession->undo();
    if (!E)
      return (*Held)(E.takeError());
    (*Held)(toJSON(onWire(*E)));
  });
}

Expected<json::Value> Engine::answer(StringRef Method,
                                     const json::Value &Params) {
  auto Step = [&](Expected<Event> E) -> Expected<json::Value> {
    if (!E)
      return E.takeError();
    return toJSON(onWire(*E));
  };
  if (Method == wire::method::Pause)
    return Step(TheSession->pause());
  if (Method == wire::method::Resume)
    return Step(TheSession->resume());
  if (Method == wire::method::Log) {
    wire::LogReply R;
    if (TheSession)
      for (const Event &E : TheSession->log())
        R.Events.push_back(onWire(E));
    if (LastEvent)
      R.Events.push_back(onWire(*LastEvent));
    return toJSON(R);
  }
  if (Method == wire::method::Status) {
    wire::Status S = toWire(TheSession->status());
    S.Waiting = Calls.isWaiting();
    S.Pid = getpid();
    S.Program = Program;
    S.Socket = Api.socket;
    return toJSON(S);
  }
  if (Method == wire::method::Functions)
    return toJSON(wire::FunctionsReply{toWire(TheSession->status()).Functions});
  if (Method == wire::method::Explain) {
    Expected<wire::ExplainParams> P =
        wire::parse<wire::ExplainParams>(Params, "params");
    if (!P)
      return P.takeError();
    wire::ExplainReply R;
    for (const auto &[Reload, V] : TheSession->history(P->Function))
      R.History.push_back({Reload, toWire(V)});
    return toJSON(R);
  }
  if (Method == wire::method::DidOpen) {
    Expected<wire::DidOpenParams> P =
        wire::parse<wire::DidOpenParams>(Params, "params");
    if (!P)
      return P.takeError();
    if (!TheSession->opened(P->File))
      return makeError("{}: no translation unit of the program reads it",
                       P->File);
    return json::Value(nullptr);
  }
  if (Method == wire::method::DidChange)
    return wire::notInThisVersion(Method);
  return wire::methodNotFound(Method);
}
