// Joins the modules: each pass of Session to the object that does it.

#include "RealStages.h"
#include "Compile/Agreement.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Demangle/Demangle.h"
#include "llvm/Support/Path.h"
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
  Expected<std::unique_ptr<CompilerWatch>> Watch = CompilerWatch::start();
  if (!Watch)
    return Watch.takeError();
  return std::unique_ptr<RealStages>(
      new RealStages(Program, L, std::move(*Watch), std::move(*Links),
                     std::move(*Patches), ForkLock, std::move(Run)));
}

//===-- Compiling ---------------------------------------------------------===//

void RealStages::setCacheLimit(size_t Bytes) {
  std::lock_guard<std::mutex> Lock(M);
  CacheLimit = Bytes;
  Compiles->setLimit(Bytes);
}

void RealStages::endThreads() {
  Compiles.reset(); // It uses the watch.
  Watch.reset();
}

std::shared_ptr<Compiler> RealStages::compiler() {
  std::lock_guard<std::mutex> Lock(M);
  return Compiles;
}

/// Clang names places by the whole path; people know which file it is.
static std::string withShortPath(std::string Text, const std::string &Path) {
  std::string Name = sys::path::filename(Path).str();
  for (size_t At = 0; (At = Text.find(Path, At)) != std::string::npos;
       At += Name.size())
    Text.replace(At, Path.size(), Name);
  return Text;
}

/// Crashes on threads of the compiler: what they tried is tried again by
/// whoever wants it, and that tells.
std::shared_ptr<Compiler> RealStages::makeCompiler() {
  CompilerProtection Protection;
  Protection.Run = [this](function_ref<void()> Work) {
    std::optional<CompilerFailure> Failure = runCompiler(Work);
    if (Failure)
      L.warning("{}, ahead of an edit", Failure->What);
    return !Failure;
  };
  Protection.Limit = [this](const CancelFlag &Cancel) {
    CompilerLimits Mine = Limits;
    Mine.Cancel = &Cancel;
    return std::make_shared<CompilerWatch::Watched>(*Watch, Mine);
  };
  auto Made = std::make_shared<Compiler>(std::move(Protection));
  if (CacheLimit)
    Made->setLimit(*CacheLimit);
  return Made;
}

/// What it keeps (parsed headers) may be half changed, or wrong.
void RealStages::replaceCompiler(const std::shared_ptr<Compiler> &Broken) {
  std::lock_guard<std::mutex> Lock(M);
  if (Compiles != Broken)
    return;
  L.warning("the compiler is made anew");
  Compiles = makeCompiler();
  Broken->abandon();
  // Never destroyed: locks of it may be held for ever.
  new std::shared_ptr<Compiler>(Broken);
}

template <typename Function>
std::optional<CompilerFailure>
RealStages::tryCompiler(const std::shared_ptr<Compiler> &C,
                        const CancelFlag *Cancel, Function Work) {
  CompilerLimits Mine = Limits;
  Mine.Cancel = Cancel;
  std::optional<CompilerFailure> Failure = runCompiler(Work, Watch.get(), Mine);
  if (Failure && !C->isIntact())
    replaceCompiler(C);
  return Failure;
}

Error RealStages::failure(const TranslationUnit &Unit,
                          const CompilerFailure &F) const {
  return makeError(
      "{}",
      withShortPath(fmt::format("{} in {}", F.What, Unit.Path), Unit.Path));
}

/// How: Compiler::compile or learn.
Expected<CompileResult> RealStages::tryWhole(WholeCompile How,
                                             const TranslationUnit &Unit,
                                             const TextSnapshot &Texts,
                                             const CancelFlag *Cancel) {
  std::shared_ptr<Compiler> C = compiler();
  std::optional<Expected<CompileResult>> Result;
  if (auto Failure = tryCompiler(C, Cancel, [&] {
        Result.emplace((C.get()->*How)(Unit, Texts, Cancel));
      }))
    return failure(Unit, *Failure);
  if (ChecksBodies && *Result && (*Result)->Unit)
    Compiled.know(*(*Result)->Unit);
  return std::move(*Result);
}

Expected<CompileResult> RealStages::compile(const TranslationUnit &Unit,
                                            const TextSnapshot &Texts,
                                            const CancelFlag *Cancel) {
  return tryWhole(&Compiler::compile, Unit, Texts, Cancel);
}

Expected<CompileResult> RealStages::learn(const TranslationUnit &Unit,
                                          const TextSnapshot &Texts,
                                          const CancelFlag *Cancel) {
  Expected<CompileResult> Result =
      tryWhole(&Compiler::learn, Unit, Texts, Cancel);
  if (Result && Result->Unit)
    Result->Unit->Code = UnitCode();
  return Result;
}

Expected<std::optional<CompileResult>> RealStages::compileBodies(
    const TranslationUnit &Unit, const TextSnapshot &Texts,
    const BodiesRequest &Request, std::string &Why, const CancelFlag *Cancel) {
  std::shared_ptr<Compiler> C = compiler();
  std::optional<Expected<std::optional<CompileResult>>> Result;
  if (auto Failure = tryCompiler(C, Cancel, [&] {
        Result.emplace(C->compileBodies(Unit, Texts, Request, Why, Cancel));
      })) {
    if (Failure->OfLimits)
      return failure(Unit, *Failure);
    // The headers that it began with may be what is wrong. If the whole crashes
    // too, it is the text.
    Why = Failure->What;
    Expected<CompileResult> Whole = compile(Unit, Texts, Cancel);
    if (!Whole)
      return Whole.takeError();
    L.warning("{}, and not when all of {} is compiled", Why, Unit.Path);
    replaceCompiler(C);
    return std::move(*Whole);
  }
  Expected<std::optional<CompileResult>> Bodies = std::move(*Result);
  if (!ChecksBodies || !Bodies || !*Bodies || !(*Bodies)->Unit)
    return Bodies;
  Expected<CompileResult> Whole = compile(Unit, Texts, Cancel);
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
  std::unique_ptr<CompiledUnit> Made;
  if (auto Failure = tryCompiler(compiler(), nullptr, [&] {
        Made = hotjit::follow(Unit, Request, Lead, Why);
      })) {
    Why = Failure->What;
    return nullptr;
  }
  if (!ChecksBodies || !Made)
    return Made;
  Expected<CompileResult> Whole = compile(Unit, Texts, nullptr);
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
  std::shared_ptr<Compiler> C = compiler();
  if (auto Failure =
          tryCompiler(C, nullptr, [&] { C->warm(Unit, Texts, Live); }))
    L.warning("{}", toString(failure(Unit, *Failure))); // An edit will say so.
}

void RealStages::begin(const TranslationUnit &Unit, const TextSnapshot &Texts,
                       std::shared_ptr<const CompiledUnit> Live) {
  std::shared_ptr<Compiler> C = compiler();
  if (auto Failure =
          tryCompiler(C, nullptr, [&] { C->begin(Unit, Texts, Live); }))
    L.warning("{}", toString(failure(Unit, *Failure))); // The next edit will.
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
  std::optional<Expected<StagedGeneration>> Result;
  if (auto Failure = runCompiler(
          [&] { Result.emplace(Links->stage(P, Added)); }, Watch.get(), Limits))
    return replaceLinker(Failure->What);
  return std::move(*Result);
}

Error RealStages::replaceLinker(const std::string &Why) {
  Expected<std::unique_ptr<Linker>> New = Linker::create(Program, L);
  if (!New)
    return New.takeError();
  OldLinks.push_back(std::exchange(Links, std::move(*New)));
  return makeError("{}", Why);
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

std::vector<AddrRange> RealStages::codeOf(const ImageUnit &Unit) {
  return Program.codeOf(Unit);
}

std::optional<SourcePlace> RealStages::lineAt(const ImageUnit *Unit,
                                              ProgramAddr A) {
  bool Built = Unit && Program.modules()[Unit->Module].Text.contains(A);
  std::optional<Image::Line> Line =
      Built ? Program.lineAt(*Unit, A) : Links->lineAt(A);
  for (const std::unique_ptr<Linker> &Old : OldLinks)
    if (!Built && !Line)
      Line = Old->lineAt(A);
  if (!Line)
    return std::nullopt;
  return SourcePlace{Line->File, Line->Number};
}

std::optional<Patcher::Owner> RealStages::ownerOf(ProgramAddr A) {
  return Patches->ownerOf(A);
}

/// " at lvm.c:12", or nothing.
static std::string atPlace(const std::optional<SourcePlace> &Place) {
  return Place ? fmt::format(" at {}:{}", sys::path::filename(Place->File),
                             Place->Line)
               : "";
}

std::string RealStages::describeCode(ProgramAddr A) {
  if (std::optional<Patcher::Owner> Owner = Patches->ownerOf(A))
    return fmt::format("{}{} (generation {})",
                       Owner->Function.empty() ? "new code" : Owner->Function,
                       atPlace(lineAt(nullptr, A)), Owner->Generation);
  std::string Name;
  if (const ImageFunction *F = Program.functionAt(A)) {
    Name = demangle(F->Name.empty() ? F->Symbol : F->Name);
    for (const ImageUnit &Unit : Program.units())
      if (Program.modules()[Unit.Module].Text.contains(A))
        if (std::optional<SourcePlace> Place = lineAt(&Unit, A))
          return Name + atPlace(Place);
  }
  Dl_info Here;
  if (!::dladdr(reinterpret_cast<void *>(A.value()), &Here))
    return Name.empty() ? fmt::format("{}, where no code is", A) : Name;
  if (sys::path::filename(Here.dli_fname) == "libhotjit-engine.so")
    return "";
  if (Name.empty())
    Name = Here.dli_sname ? demangle(Here.dli_sname) : fmt::format("{}", A);
  return fmt::format("{} in {}", Name, sys::path::filename(Here.dli_fname));
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
size_t RealStages::memoryParsed() { return compiler()->bytesKept(); }
