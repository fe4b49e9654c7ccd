// Joins the modules: each pass of Session to the object that does it.

#include "RealStages.h"
#include "Compile/Agreement.h"
#include "Support/Error.h"
#include "llvm/ADT/STLExtras.h"
#include <chrono>
#include <dlfcn.h>
#include <filesystem>
#include <fstream>
#include <thread>

using namespace hotjit;
using namespace llvm;

Expected<std::unique_ptr<RealStages>>
RealStages::create(const Image &Program, Log &L, std::timed_mutex &ForkLock,
                   RunOnProgramThread Run) {
  Expected<std::unique_ptr<Linker>> Links = Linker::create(Program, L);
  if (!Links)
    return Links.takeError();
  Expected<std::unique_ptr<Patcher>> Patches = Patcher::create(Program, L);
  if (!Patches)
    return Patches.takeError();
  return std::unique_ptr<RealStages>(new RealStages(Program, std::move(*Links),
                                                    std::move(*Patches),
                                                    ForkLock, std::move(Run)));
}

Expected<CompileResult> RealStages::compile(const TranslationUnit &Unit,
                                            const TextSnapshot &Texts,
                                            const CancelFlag *Cancel) {
  Expected<CompileResult> Result = Compiles.compile(Unit, Texts, Cancel);
  if (ChecksBodies && Result && Result->Unit)
    Compiled.know(*Result->Unit);
  return Result;
}

Expected<std::optional<CompileResult>> RealStages::compileBodies(
    const TranslationUnit &Unit, const TextSnapshot &Texts,
    const BodiesRequest &Request, std::string &Why, const CancelFlag *Cancel) {
  Expected<std::optional<CompileResult>> Bodies =
      Compiles.compileBodies(Unit, Texts, Request, Why, Cancel);
  if (!ChecksBodies || !Bodies || !*Bodies || !(*Bodies)->Unit)
    return Bodies;
  Expected<CompileResult> Whole = Compiles.compile(Unit, Texts, Cancel);
  if (!Whole)
    return Whole.takeError();
  std::string Difference = "the whole does not compile";
  if (Whole->Unit)
    Difference = Compiled.disagreement(*Whole->Unit, *(*Bodies)->Unit);
  if (Difference.empty() || Whole->Cancelled)
    return Bodies;
  return makeError("a defect in hotjit: edited bodies of {} alone make other "
                   "code than the whole: {}",
                   Unit.Path, Difference);
}

Expected<std::unique_ptr<CompiledUnit>>
RealStages::follow(const TranslationUnit &Unit, const TextSnapshot &Texts,
                   const BodiesRequest &Request, const LeadUnit &Lead,
                   std::string &Why) {
  std::unique_ptr<CompiledUnit> Made = hotjit::follow(Unit, Request, Lead, Why);
  if (!ChecksBodies || !Made)
    return Made;
  Expected<CompileResult> Whole = Compiles.compile(Unit, Texts);
  if (!Whole)
    return Whole.takeError();
  // That it does not compile is told later, as without this check.
  std::string Difference =
      Whole->Unit ? Compiled.disagreement(*Whole->Unit, *Made) : "";
  if (Difference.empty())
    return Made;
  return makeError("a defect in hotjit: {} is not what {} told: {}", Unit.Path,
                   Lead.Unit.Path, Difference);
}

void RealStages::warm(const TranslationUnit &Unit, const TextSnapshot &Texts,
                      std::shared_ptr<const CompiledUnit> Live) {
  Compiles.warm(Unit, Texts, std::move(Live));
}

void RealStages::begin(const TranslationUnit &Unit, const TextSnapshot &Texts,
                       std::shared_ptr<const CompiledUnit> Live) {
  Compiles.begin(Unit, Texts, std::move(Live));
}

Expected<PlanOrRefusal> RealStages::diff(ArrayRef<UnitChange> Changes,
                                         const Adopted &Earlier) {
  return hotjit::diff(Changes, Program, Earlier);
}

Expected<PlanOrRefusal> RealStages::planReinit(const UnitChange &Live,
                                               StringRef Symbol,
                                               const Adopted &Earlier) {
  return hotjit::planReinit(Live, Symbol, Program, Earlier);
}

bool RealStages::hold(size_t Module) {
  const ImageModule &M = Program.modules()[Module];
  if (M.Executable)
    return true;
  std::lock_guard<std::timed_mutex> Lock(ForkLock);
  // The handle is never closed, and a program that closes one too often does
  // not unload it either.
  return M.Loaded &&
         ::dlopen(M.Name.c_str(), RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

std::vector<ArmProblem> RealStages::probe(ArrayRef<EntrySite> Sites) {
  return Patches->probe(Sites);
}

Expected<ProgramAddr> RealStages::addStub(size_t Module) {
  return Patches->addStub(Module);
}

Expected<StagedGeneration> RealStages::stage(Plan &P, const Identities &Added) {
  std::lock_guard<std::timed_mutex> Lock(ForkLock);
  return Links->stage(P, Added);
}

// A thread that libc is just starting has every signal blocked, for
// microseconds; an entry is not armed while such a thread could stray into it.
static constexpr unsigned ArmTries = 20;
static constexpr auto ArmPause = std::chrono::milliseconds(2);

std::vector<ArmProblem> RealStages::arm(ArrayRef<EntrySite> Sites) {
  std::lock_guard<std::timed_mutex> Lock(ForkLock);
  std::vector<ArmProblem> Problems = Patches->arm(Sites);
  for (unsigned Try = 1; Try != ArmTries; ++Try) {
    if (Problems.empty() ||
        !all_of(Problems, [](const ArmProblem &P) { return P.Retry; }))
      break;
    std::this_thread::sleep_for(ArmPause);
    Problems = Patches->arm(Sites);
  }
  return Problems;
}

Error RealStages::runInitializers(const StagedGeneration &Staged) {
  if (Staged.Initializers.empty())
    return Error::success();
  if (Error E = Patches->openAdded(Staged))
    return E;
  for (ProgramAddr F : Staged.Initializers)
    if (Error E = RunInitializer(F))
      return E;
  return Error::success();
}

Expected<Generation> RealStages::commit(StagedGeneration Staged,
                                        std::vector<std::string> Files) {
  return Patches->commit(std::move(Staged), std::move(Files));
}

Expected<Generation> RealStages::undo() { return Patches->undo(); }
Expected<Generation> RealStages::redo() { return Patches->redo(); }

std::vector<AddrRange> RealStages::bodyOf(ProgramAddr Identity) {
  AddrRange Body = Patches->bodyOf(Identity);
  if (Body.size() == 0)
    return {};
  std::vector<AddrRange> Pieces{Body};
  const ImageFunction *F = Program.functionAt(Body.Begin);
  if (!F || F->Entry != Body.Begin)
    return Pieces;
  // What an optimizer thinks is rarely run, GCC puts elsewhere.
  for (const ImageModule &M : Program.modules())
    if (M.Text.contains(Body.Begin))
      for (const ImageFunction *Cold :
           Program.findFunctions(M, F->Symbol + ".cold"))
        if (Cold->File == F->File)
          Pieces.push_back({Cold->Entry, Cold->Entry + int64_t(Cold->Size)});
  return Pieces;
}

std::optional<SourcePlace> RealStages::lineAt(const ImageUnit *Unit,
                                              ProgramAddr A) {
  bool Built = Unit && Program.modules()[Unit->Module].Text.contains(A);
  std::optional<Image::Line> Line =
      Built ? Program.lineAt(*Unit, A) : Links->lineAt(A);
  if (!Line)
    return std::nullopt;
  return SourcePlace{Line->File, Line->Number};
}

/// The threads of hotjit, which never run the program's code for long.
static std::vector<int> ownThreads() {
  std::vector<int> Result;
  std::error_code EC;
  for (auto It = std::filesystem::directory_iterator("/proc/self/task", EC);
       !EC && It != std::filesystem::directory_iterator(); It.increment(EC)) {
    std::ifstream Name(It->path() / "comm");
    std::string Text;
    std::getline(Name, Text);
    int Id = 0;
    if (StringRef(Text).starts_with("hotjit") &&
        !StringRef(It->path().filename().string()).getAsInteger(10, Id))
      Result.push_back(Id);
  }
  return Result;
}

std::vector<FrameHit> RealStages::findFrames(ArrayRef<AddrRange> Ranges) {
  if (Ranges.empty())
    return {};
  auto BuiltCode = [&](ProgramAddr A, uint64_t Size) {
    return Program.fileBytes(A, Size);
  };
  std::lock_guard<std::timed_mutex> Lock(ForkLock);
  return hotjit::findFrames(Ranges, ownThreads(), BuiltCode);
}

size_t RealStages::memoryUsed() { return Patches->memoryUsed(); }
size_t RealStages::memorySuperseded() { return Patches->memorySuperseded(); }
size_t RealStages::memoryParsed() { return Compiles.bytesKept(); }
