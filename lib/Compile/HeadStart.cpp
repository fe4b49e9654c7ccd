// Most of the time of a compile of one body goes into what stands before it:
// the preamble is opened, declarations are read, names are looked up for the
// first time. None of that depends on the edit. So it is done when there is
// time, after the last edit, and the parser is stopped where the next one will
// probably be:
//
//   #include ... int f() { } ... int g() { | return x + 1; } ...
//                                  waits here
//
// Clang asks whether it should skip a body when it has read its opening brace
// and nothing further. That is where the thread sleeps. The text lies in a
// buffer of our own, larger than needed: what stands behind the brace now is
// written there, and the parser goes on as if it had always stood there.
//
// What the compiler has told about the text before must not be believed
// afterwards: where lines begin is found out anew; the checksum of the file,
// which debug info has from the beginning on, is left out.

#include "Compile/HeadStart.h"
#include "Compile/CompileRun.h"
#include "Support/Error.h"
#include "clang/AST/ASTContext.h"
#include "clang/Basic/SourceManager.h"
#include "clang/Lex/Lexer.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>

using namespace hotjit;
using llvm::StringRef;

/// Bytes by which a text may grow before it has to be read from the beginning.
static constexpr size_t Growth = 64 << 10;

/// Longer than any edited body takes to compile. Then a run that can be
/// watched and ended takes over.
static constexpr auto Patience = std::chrono::seconds(5);

/// How soon it is noticed that the result is not wanted any more.
static constexpr auto CancelInterval = std::chrono::milliseconds(5);

/// Clang's state of one unit takes tens of megabytes.
static constexpr size_t MostKept = 3;

class HeadStart::Pause final : public PauseAtBody {
public:
  explicit Pause(HeadStart &H) : PauseAtBody(H.From.Body), H(H) {}

  void wait(clang::Preprocessor &P) override;

private:
  bool isAtBrace(const clang::Preprocessor &P) const;

  HeadStart &H;
};

/// The lexer must have read the brace and nothing behind it.
bool HeadStart::Pause::isAtBrace(const clang::Preprocessor &P) const {
  const auto *L = static_cast<clang::Lexer *>(P.getCurrentFileLexer());
  uint32_t Brace = H.From.Plan.Bodies.Bodies[Body].Begin;
  return L && L->getBufferLocation() == H.Text->getBufferStart() + Brace + 1;
}

void HeadStart::Pause::wait(clang::Preprocessor &P) {
  clang::SourceManager &SM = P.getSourceManager();
  std::unique_lock Lock(H.M);
  if (!isAtBrace(P))
    H.Ended = true;
  if (H.Ended)
    return;
  H.Bytes = P.getTotalMemory() + SM.getContentCacheSize() +
            SM.getDataStructureSizes();
  H.Now = State::Waiting;
  H.Changed.notify_all();
  H.Changed.wait(Lock, [&] { return H.Now == State::Resumed || H.Ended; });
  Lock.unlock();
  H.Limit = H.From.Protection.Limit(H.Ended);
  SM.getSLocEntry(P.getCurrentFileLexer()->getFileID())
      .getFile()
      .getContentCache()
      .SourceLineCache = {};
}

HeadStart::HeadStart(Terms From) : From(std::move(From)) {}

llvm::Expected<std::unique_ptr<HeadStart>> HeadStart::begin(Terms From,
                                                            StringRef Now) {
  std::unique_ptr<HeadStart> H(new HeadStart(std::move(From)));
  if (!H->makeRoom(Now))
    return makeError("no memory for the text of {}", H->unit());
  llvm::Expected<Thread> T = Thread::start(
      "hotjit-ahead", [H = H.get()] { H->run(); }, StackSize::Deep);
  if (!T)
    return T.takeError();
  H->Runner = std::move(*T);
  return H;
}

HeadStart::~HeadStart() {
  end();
  if (Runner.isJoinable())
    Runner.join();
}

void HeadStart::end() {
  std::lock_guard Lock(M);
  Ended = true;
  Changed.notify_all();
}

bool HeadStart::isLost() const {
  std::lock_guard Lock(M);
  return Lost;
}

bool HeadStart::isFinished() const {
  std::lock_guard Lock(M);
  return Now == State::Finished;
}

size_t HeadStart::bytesKept() const {
  std::lock_guard Lock(M);
  return Bytes + Text->getBufferSize();
}

/// The text of the edited file with white space behind it. False: no memory.
bool HeadStart::makeRoom(StringRef Now) {
  Text = llvm::WritableMemoryBuffer::getNewUninitMemBuffer(Now.size() + Growth,
                                                           From.Plan.File);
  if (Text)
    write(Now, 0);
  return Text != nullptr;
}

/// From is where the buffer begins to differ.
void HeadStart::write(StringRef Now, size_t From) {
  char *End = llvm::copy(Now.drop_front(From), Text->getBufferStart() + From);
  std::fill(End, Text->getBufferEnd(), '\n');
}

void HeadStart::deliver(std::optional<CompileResult> R, std::string D) {
  std::lock_guard Lock(M);
  Result = std::move(R);
  Doubt = std::move(D);
  Now = State::Finished;
  Changed.notify_all();
}

void HeadStart::run() {
  struct Outcome {
    std::optional<CompileResult> Result;
    std::string Doubt;
  };
  auto Made = std::make_unique<Outcome>();
  bool Done = From.Protection.Run([&] { compile(Made->Result, Made->Doubt); });
  Limit.reset();
  if (Done)
    return deliver(std::move(Made->Result), std::move(Made->Doubt));
  (void)Made.release(); // It may be half made.
  deliver(std::nullopt, "");
}

void HeadStart::compile(std::optional<CompileResult> &Made, std::string &Why) {
  CompileRun R(From.Unit, From.Texts);
  std::unique_ptr<llvm::MemoryBuffer> View =
      llvm::MemoryBuffer::getMemBuffer(Text->getMemBufferRef());
  if (From.Start) {
    R.Invocation = From.Start->start(R.files(), std::move(View));
  } else {
    R.Invocation =
        std::make_shared<clang::CompilerInvocation>(*From.Invocation);
    StringRef Main = R.Invocation->getFrontendOpts().Inputs.front().getFile();
    bool IsOwn = From.Plan.File == From.Unit.Path;
    R.replace(IsOwn ? Main : From.Plan.File, std::move(View));
    if (From.Main)
      R.replace(Main, llvm::MemoryBuffer::getMemBufferCopy(*From.Main, Main));
  }
  prepareForBodies(*R.Invocation);
  // It would be the one of this text, with the white space.
  R.Invocation->getCodeGenOpts().setDebugSrcHash(
      clang::CodeGenOptions::DSH_NONE);
  Pause AtBrace(*this);
  llvm::Expected<CompileResult> Result =
      R.run(&From.Plan, &Ended, Why, &AtBrace);
  if (Result)
    Made.emplace(std::move(*Result));
  else
    llvm::consumeError(Result.takeError()); // A run from the beginning tells.
}

bool HeadStart::serves(const TranslationUnit &Unit, const TextSnapshot &Texts,
                       StringRef NewText, const Preamble *Start,
                       const PartialPlan &Plan) const {
  size_t Body = From.Body;
  const std::vector<BodyText> &Was = From.Plan.Bodies.Bodies;
  const std::vector<BodyText> &Now = Plan.Bodies.Bodies;
  if (!isOf(Plan.Old, Start) || Plan.File != From.Plan.File ||
      Unit.Arguments != From.Unit.Arguments ||
      Unit.Directory != From.Unit.Directory ||
      Plan.Bodies.Touched.front() < Body || Was.size() != Now.size() ||
      Now[Body].Begin != Was[Body].Begin)
    return false;
  for (size_t I = 0; I != Body; ++I)
    if (Plan.Parsed[I] && !From.Plan.Parsed[I])
      return false;
  // What has been read must have been read for this plan, too: there is nothing
  // in it that has to be made now and was thought to be known.
  auto IsBehind = [&](StringRef Symbol) {
    return llvm::any_of(llvm::drop_begin(Now, Body), [&](const BodyText &B) {
      return llvm::is_contained(B.Symbols, Symbol);
    });
  };
  if (!llvm::all_of(Plan.Wanted.keys(), [&](StringRef Symbol) {
        return From.Plan.Wanted.contains(Symbol) || IsBehind(Symbol);
      }))
    return false;
  auto IsSame = [&](const std::string &File) {
    std::shared_ptr<const SourceText> Before = From.Texts.find(File);
    std::shared_ptr<const SourceText> After = Texts.find(File);
    return File == From.Plan.File ||
           (Before && After ? Before->hash() == After->hash()
                            : !Before && !After);
  };
  if (!llvm::all_of(From.Old->Files, IsSame) ||
      !From.Others.areUntouched(Texts))
    return false;
  // Up to the brace nobody has written there since.
  size_t Read = Was[Body].Begin + 1;
  return NewText.size() + Growth / 2 <= Text->getBufferSize() &&
         NewText.take_front(Read) ==
             StringRef(Text->getBufferStart(), Text->getBufferSize())
                 .take_front(Read);
}

std::optional<CompileResult> HeadStart::finish(const PartialPlan &Plan,
                                               StringRef NewText,
                                               const CancelFlag *Flag,
                                               std::string &Why) {
  std::unique_lock Lock(M);
  const auto Deadline = std::chrono::steady_clock::now() + Patience;
  auto Await = [&](auto Condition) {
    while (!Changed.wait_for(Lock, CancelInterval, Condition)) {
      Lost = std::chrono::steady_clock::now() > Deadline;
      Ended = Ended || Lost || (Flag && *Flag);
      if (Lost)
        break;
    }
    return !Lost;
  };
  if (!Await([&] { return Now == State::Waiting || Now == State::Finished; }) ||
      Now == State::Finished)
    return std::nullopt;
  // What stands above it has been read.
  write(NewText, Plan.Bodies.Bodies[From.Body].Begin);
  From.Plan.Bodies = Plan.Bodies;
  From.Plan.Parsed = Plan.Parsed;
  From.Plan.Wanted = Plan.Wanted;
  Now = State::Resumed;
  Changed.notify_all();
  // An error is told by a run that sees the text as it is.
  if (!Await([&] { return Now == State::Finished; }) || !Result ||
      (!Result->Unit && !Result->Cancelled && Doubt.empty()))
    return std::nullopt;
  Why = std::move(Doubt);
  return std::move(Result);
}

//===-- Keeping -----------------------------------------------------------===//

HeadStarts::~HeadStarts() { end(); }

void HeadStarts::end() {
  std::lock_guard Lock(M);
  for (std::unique_ptr<HeadStart> &H : Kept)
    H->end();
}

bool HeadStarts::isIntact() const {
  return std::unique_lock(M, std::try_to_lock).owns_lock();
}

std::unique_ptr<HeadStart> HeadStarts::take(StringRef Unit) {
  std::lock_guard Lock(M);
  auto It =
      llvm::find_if(Kept, [&](const auto &H) { return H->unit() == Unit; });
  if (It == Kept.end())
    return nullptr;
  std::unique_ptr<HeadStart> Found = std::move(*It);
  Kept.erase(It);
  return Found;
}

bool HeadStarts::has(StringRef Unit, const CompiledUnit &Old,
                     const Preamble *Start) const {
  std::lock_guard Lock(M);
  return llvm::any_of(Kept, [&](const auto &H) {
    return H->unit() == Unit && H->isOf(Old, Start);
  });
}

void HeadStarts::keep(std::unique_ptr<HeadStart> H) {
  bool TooMany;
  {
    std::lock_guard Lock(M);
    auto Other = llvm::find_if(
        Kept, [&](const auto &K) { return K->unit() == H->unit(); });
    if (Other != Kept.end()) { // Of an earlier text, or begun side by side.
      (*Other)->end();
      Discarded.push_back(std::move(*Other));
      Kept.erase(Other);
    }
    Kept.push_back(std::move(H));
    TooMany = Kept.size() > MostKept;
  }
  if (TooMany)
    dropOldest();
}

bool HeadStarts::dropOldest() {
  std::lock_guard Lock(M);
  if (Kept.size() <= 1)
    return false;
  Kept.front()->end();
  Discarded.push_back(std::move(Kept.front()));
  Kept.erase(Kept.begin());
  return true;
}

void HeadStarts::discard(std::unique_ptr<HeadStart> H) {
  if (!H)
    return;
  H->end();
  if (H->isLost()) {
    (void)H.release(); // Its thread uses it.
    return;
  }
  std::lock_guard Lock(M);
  Discarded.push_back(std::move(H));
}

void HeadStarts::sweep() {
  std::vector<std::unique_ptr<HeadStart>> Done;
  {
    std::lock_guard Lock(M);
    auto IsDone = [](const auto &H) { return H->isFinished(); };
    auto Rest = llvm::partition(Discarded, IsDone);
    Done.assign(std::make_move_iterator(Discarded.begin()),
                std::make_move_iterator(Rest));
    Discarded.erase(Discarded.begin(), Rest);
  }
}

size_t HeadStarts::bytesKept() const {
  std::lock_guard Lock(M);
  size_t Sum = 0;
  for (const std::unique_ptr<HeadStart> &H : Kept)
    Sum += H->bytesKept();
  return Sum;
}
