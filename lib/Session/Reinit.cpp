// `hotjit reinit x`: state that the user gives up. The unit is compiled again
// from the live text, because an initial value may need code; what is made of
// it runs once and is never reached again.

#include "Session/State.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Path.h"

using namespace hotjit;
using namespace llvm;

namespace {
struct Candidate {
  size_t Unit;
  std::string Symbol;
  std::string Where;
};
} // namespace

static bool isNamed(const CompiledVariable &V, StringRef Name) {
  return !V.Unnamed && !V.Synthesized &&
         (V.Name == Name || V.QualifiedName == Name || V.Symbol == Name);
}

void Session::reinit(StringRef Variable, Answer Done) {
  Live &Now = Generations[Current];
  std::vector<Candidate> Found;
  for (size_t I = 0; I != Units.size(); ++I) {
    auto It = Now.Compiled.find(Units[I].Unit.id());
    if (It == Now.Compiled.end())
      continue; // Never edited, so no initializer was.
    for (const CompiledVariable &V : It->second->Variables)
      if (isNamed(V, Variable))
        Found.push_back({I, V.Symbol,
                         fmt::format("{}:{}", sys::path::filename(V.Place.File),
                                     V.Place.Line)});
  }
  if (Found.empty())
    return Done(
        makeError("no file that was edited has a variable '{}'", Variable));
  if (all_of(Found,
             [&](const Candidate &C) {
               return C.Symbol == Found.front().Symbol &&
                      C.Where == Found.front().Where;
             }) &&
      Found.size() > 1)
    return Done(makeError("'{}' ({}) is there once in each copy of its file "
                          "that the program holds; not supported yet",
                          Variable, Found.front().Where));
  if (Found.size() > 1) {
    std::vector<std::string> Places;
    for (const Candidate &C : Found)
      Places.push_back(C.Symbol + " (" + C.Where + ")");
    return Done(makeError("'{}' may be each of {}; say which by its symbol",
                          Variable, join(Places, ", ")));
  }
  Candidate The = Found.front();
  TranslationUnit Command = liveCommand(The.Unit);
  TextSnapshot Texts = Now.Texts;
  unsigned Number = Now.Number;
  Stages &Passes = Around.Passes;
  auto Post = Around.Post;
  Around.Compiles.run([=, this, &Passes] {
    auto Result = std::make_shared<Expected<CompileResult>>(
        Passes.compile(Command, Texts, nullptr));
    Post([=, this] {
      if (!*Result)
        return Done(Result->takeError());
      if (!(*Result)->Unit)
        return Done(makeError("{}: the live text does not compile: {}",
                              Command.Path, (*Result)->Rendered));
      auto Set = [=, this](std::optional<Verdict>) {
        if (Generations[Current].Number != Number)
          return Done(
              makeError("another generation is live by now; try again"));
        Done(setInitialValue(Units[The.Unit], *(*Result)->Unit, The.Symbol));
      };
      if (!Around.Ask)
        return Set(std::nullopt);
      Around.Ask(Event(), Set);
    });
  });
}

Error Session::setInitialValue(const ProjectUnit &Unit, CompiledUnit &Compiled,
                               StringRef Symbol) {
  UnitChange Change;
  Change.Old = Change.New = &Compiled;
  Change.Built = Unit.Built;
  Expected<PlanOrRefusal> Decision =
      Around.Passes.planReinit(Change, Symbol, Generations[Current].Added);
  if (!Decision)
    return Decision.takeError();
  if (auto *R = std::get_if<Refusal>(&*Decision))
    return makeError("{}", R->Verdicts.front().Message);
  Plan &P = std::get<Plan>(*Decision);
  if (!Around.Passes.hold(Unit.Built->Module))
    return makeError("{}", notLoaded(Unit.Unit.Path).Message);
  Expected<StagedGeneration> Staged = Around.Passes.stage(P, {});
  if (!Staged)
    return Staged.takeError();
  Error Failed = Around.Passes.runInitializers(*Staged);
  // What it set may point into the new data.
  Staged->keep();
  return Failed;
}
