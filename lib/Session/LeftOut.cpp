// A change that was refused must not hold up later ones.
//
// What is saved together goes live together or not at all. But a file that was
// refused stays different from what is live, perhaps for the whole day: a
// struct that has grown waits for the next start. So every attempt takes in all
// that is not live yet, because a later save may be what an earlier one lacked
// (a call was saved before the function's definition); and if that is refused
// again, it is looked at without what earlier attempts ended with. What shares
// a translation unit with a file that was saved since cannot be left out: the
// compiler sees both.
//
//   saved     attempt            ends
//   a.h       a.h                #1 refused: size of 'A' changed
//   b.c       a.h b.c            refused still
//                 b.c            #2 live: b.c: f; not live: a.h
//
// What goes live is what a build would make in which a.h had not been saved.
// (docs/adr/0017-a-refusal-holds-nothing-up.md)

#include "Project/CommandChange.h"
#include "Session/State.h"
#include "Support/FmtSupport.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Path.h"

using namespace hotjit;
using namespace llvm;

static bool isDeclined(const Event &E) {
  return E.What == Event::Kind::Refused ||
         (E.What == Event::Kind::Failed && E.Stage != "superseded");
}

static bool isSame(const std::shared_ptr<const SourceText> &A,
                   const std::shared_ptr<const SourceText> &B) {
  return A == B || (A && B && A->hash() == B->hash());
}

/// What A ended with, for the attempts after it.
void Session::remember(const Attempt &A, const Event &End) {
  if (End.What == Event::Kind::Failed && !isDeclined(End))
    return; // Superseded: the next attempt takes everything over.
  // Saved meanwhile as they are live, they are no part of A.
  erase_if(Tried, [&](const auto &File) {
    return !isSame(File.second.Text, A.Texts.find(File.first));
  });
  for (const UnitWork &W : A.Work)
    TriedWork.erase(W.Unit);
  if (!isDeclined(End)) {
    for (const std::string &File : A.Files)
      Tried.erase(File);
    return;
  }
  for (const std::string &File : A.Files)
    Tried.try_emplace(File, TriedText{A.Texts.find(File), A.Id});
  for (const UnitWork &W : A.Work)
    if (W.New && !W.New->CodeIsTaken)
      TriedWork[W.Unit] = {W.Old, W.New, W.Command, A.Texts};
}

/// Files with another text than an attempt has ended with; it may be the one
/// that is live again.
std::set<std::string> Session::savedSince(const Attempt &A) const {
  std::set<std::string> Result;
  for (const std::string &File : A.Files)
    if (!Tried.count(File))
      Result.insert(File);
  for (const auto &[File, Then] : Tried)
    if (!isSame(Then.Text, A.Texts.find(File)))
      Result.insert(File);
  return Result;
}

/// A unit that was compiled for an attempt that was refused, and of which
/// nothing has changed since.
std::shared_ptr<CompiledUnit> Session::triedBefore(const Attempt &A,
                                                   const UnitWork &W) const {
  auto It = TriedWork.find(W.Unit);
  if (It == TriedWork.end() || !W.Old || W.Old != It->second.Old ||
      !isSameCommand(W.Command, It->second.Command))
    return nullptr;
  const ProjectUnit &U = Units[W.Unit];
  bool IsSame = all_of(U.Files, [&](const std::string &File) {
    std::shared_ptr<const SourceText> Now = A.Texts.find(File);
    return Now && Now == It->second.Texts.find(File);
  });
  return IsSame ? It->second.New : nullptr;
}

bool Session::reads(size_t Unit, const std::string &File) const {
  const ProjectUnit &U = Units[Unit];
  return U.Unit.Path == File || U.Files.count(File) ||
         (File == Options.CommandsPath && hasOtherCommand(Unit));
}

/// Files with all of A's that share a unit with one of them, and so on.
std::set<std::string> Session::together(const Attempt &A,
                                        std::set<std::string> Files) const {
  for (size_t Before = 0; Before != Files.size();) {
    Before = Files.size();
    for (const UnitWork &W : A.Work) {
      auto Reads = [&](const std::string &File) { return reads(W.Unit, File); };
      if (any_of(Files, Reads))
        copy_if(A.Files, std::inserter(Files, Files.end()), Reads);
    }
  }
  return Files;
}

/// Goes on with Files alone.
void Session::keepOnly(Attempt &A, std::set<std::string> Files) {
  for (const std::string &File : A.Files)
    if (!Files.count(File))
      A.LeftOut.insert(File);
  A.Files = std::move(Files);
  erase_if(A.Work, [&](const UnitWork &W) {
    return none_of(
        A.Files, [&](const std::string &File) { return reads(W.Unit, File); });
  });
}

/// What is left of A without what can be left out, if anything can be.
std::optional<std::set<std::string>>
Session::withoutTried(const Attempt &A) const {
  std::set<std::string> Saved = savedSince(A), Kept;
  if (A.Work.empty() || Saved.empty())
    return std::nullopt;
  for (const std::string &File : together(A, std::move(Saved)))
    if (A.Files.count(File))
      Kept.insert(File);
  if (Kept.size() == A.Files.size())
    return std::nullopt;
  return Kept;
}

/// What does not compile is not only what did not before.
bool Session::failsAnew(const Attempt &A) const {
  std::optional<std::set<std::string>> Kept = withoutTried(A);
  return !Kept || any_of(A.Work, [&](const UnitWork &W) {
    return !W.New && any_of(*Kept, [&](const std::string &File) {
      return reads(W.Unit, File);
    });
  });
}

/// Units that no edit can reach are left out before anything is compiled:
/// nothing that is saved later makes a difference to them.
void Session::leaveOutProblems(Attempt &A) {
  std::set<std::string> Files;
  for (const UnitWork &W : A.Work)
    if (problemOf(W.Unit))
      copy_if(A.Files, std::inserter(Files, Files.end()),
              [&](const std::string &File) { return reads(W.Unit, File); });
  Files = together(A, std::move(Files));
  std::set<std::string> New = savedSince(A), Rest;
  if (Files.empty() || New.empty() ||
      any_of(Files, [&](const std::string &F) { return New.count(F); }))
    return;
  std::set_difference(A.Files.begin(), A.Files.end(), Files.begin(),
                      Files.end(), std::inserter(Rest, Rest.end()));
  keepOnly(A, std::move(Rest));
}

/// A has ended with End: once more without what was refused before, if that is
/// another matter.
bool Session::leaveOut(Attempt &A, const Event &End) {
  if (!isDeclined(End))
    return false;
  std::optional<std::set<std::string>> Kept = withoutTried(A);
  if (Kept)
    keepOnly(A, std::move(*Kept));
  return Kept.has_value();
}

/// For each file that was left out: that it is not live, and since when.
void Session::tellLeftOut(const Attempt &A, Event &E) const {
  for (const std::string &File : A.LeftOut) {
    Verdict V;
    V.Name = sys::path::filename(File).str();
    V.Place.File = File;
    V.Kind = VerdictKind::Held;
    auto It = Tried.find(File);
    V.Message = fmt::format("not live since #{}",
                            It == Tried.end() ? A.Id : It->second.Reload);
    E.Verdicts.push_back(std::move(V));
  }
}
