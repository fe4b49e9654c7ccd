// A variable that the program has keeps its value when its initializer is
// edited: the value is state. `hotjit reinit` is the user saying that this time
// it is not. The new initial value is made as new code makes everything, so it
// may name functions and other variables of the program.

#include "Diff/Diff.h"
#include "Diff/ImageView.h"
#include "Diff/Judge.h"
#include "fmt/format.h"

using namespace hotjit;

/// Why V cannot be set again; empty if it can.
static std::string obstacle(const CompiledVariable &V) {
  if (V.ThreadLocal)
    return "is thread-local: there is one in each thread";
  if (V.Const)
    return "is constant: new code has new data already";
  if (V.Destructor)
    return "has a destructor: constructing it again would not end the old "
           "object";
  if (!V.Guard.empty())
    return "is initialized when its function first runs";
  if (V.DynamicInitializer && V.InitializerFunction.empty())
    return "is initialized by code that cannot be told apart";
  return "";
}

llvm::Expected<PlanOrRefusal> hotjit::planReinit(const UnitChange &Live,
                                                 llvm::StringRef Symbol,
                                                 const Image &Program,
                                                 const Adopted &Earlier) {
  const CompiledVariable *V = Live.New->findVariable(Symbol);
  if (!V)
    return llvm::createStringError("no such variable in the live text");
  if (std::string Why = obstacle(*V); !Why.empty())
    return PlanOrRefusal(Refusal{{verdictOn(
        *V, VerdictKind::Refused, Reason::InitializerKept,
        fmt::format("{}: '{}' {}", placeText(V->Place), V->Name, Why))}});
  ImageView View(Program);
  llvm::Expected<BuiltUnit> Built = BuiltUnit::create(View, *Live.Built);
  if (!Built)
    return Built.takeError();
  UnitDelta Nothing;
  UnitCase Unit{*Live.Old, *Live.New, *Built, Earlier, Nothing};
  Emission Planned = planInitialValue(Unit, *V);
  if (!Planned.Refused.empty())
    return PlanOrRefusal(Refusal{std::move(Planned.Refused)});
  Planned.Unit.New = Live.New;
  Plan P;
  P.Units.push_back(std::move(Planned.Unit));
  return PlanOrRefusal(std::move(P));
}
