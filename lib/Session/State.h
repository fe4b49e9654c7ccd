#ifndef HOTJIT_SESSION_STATE_H
#define HOTJIT_SESSION_STATE_H

// What Session.cpp and Reload.cpp share and nobody else sees.

#include "Session/Session.h"

namespace hotjit {

/// A function that a commit switched.
struct Session::Switched {
  unsigned Reload = 0;
  Verdict Function; ///< as the commit's event named it
  ProgramAddr Identity;
  const ImageUnit *Unit = nullptr; ///< as built
};

Verdict notLoaded(llvm::StringRef Path);

/// The plan's verdicts with a refusal at each function whose entry cannot be
/// armed, or pending if what prevents it goes away; its neighbours are held.
std::vector<Verdict> notPatchable(const Plan &P,
                                  llvm::ArrayRef<ArmProblem> Problems);

/// What the program runs in one generation. Values: undo goes back to one.
struct Session::Live {
  unsigned Number = 0;
  TextSnapshot Texts;
  /// The units as compiled from Texts, as far as somebody asked; by id.
  std::map<std::string, std::shared_ptr<CompiledUnit>> Compiled;
  /// The commands of those that were not compiled as they were built; by id.
  std::map<std::string, TranslationUnit> Commands;
  Adopted Added;
  /// Names of functions that do not run the body they were built with, by
  /// unit and symbol, with the generation that their body is from.
  std::map<std::pair<std::string, std::string>,
           std::pair<std::string, unsigned>>
      Replaced;
  /// What the commit that made this generation switched.
  std::vector<Switched> Functions;
};

/// A body that calls do not reach any more, with those before it that have
/// frames still.
struct Session::LeftBody {
  Switched Of;
  std::vector<AddrRange> Pieces;
};

/// Frames are in it still.
struct Session::PendingFunction {
  LeftBody Body;
  std::vector<SessionStatus::OldFrames> Frames; ///< when last looked
};

/// What is ready to be committed, and nobody has seen.
struct Session::Prepared {
  Plan What;
  StagedGeneration Staged;
};

/// What an attempt does with one unit. A thread of the compiler writes it until
/// `compiled` is posted, nobody else reads it before.
struct Session::UnitWork {
  size_t Unit = 0;             ///< index into Units
  TranslationUnit LiveCommand; ///< of Old
  TranslationUnit Command;     ///< of New
  std::shared_ptr<CompiledUnit> Old;
  std::shared_ptr<CompiledUnit> New;
  /// The unit from the live text, if somebody is about to compile it.
  std::shared_ptr<PendingUnit> Warming;
  /// One body is all that was edited, it seems, and Old is not there yet: when
  /// it is, a preamble will be worth more than a compile of the whole.
  bool AwaitsOld = false;
  /// If only one file of the unit was edited, and bodies in it may be all there
  /// is: its path.
  std::string Edited;
  /// If bodies of a header alone were compiled: where they stand now.
  std::shared_ptr<const BodyMatch> Bodies;
  /// May be known from what became of the lead.
  bool Follows = false;
  std::set<std::string> Needed; ///< unchanged, and code is needed for them
  std::vector<Diagnostic> Diagnostics;
  std::string Rendered;
  std::string CannotCompile;      ///< the compile could not be tried: why
  Nanoseconds Parse{0}, Lower{0}; ///< spent on this unit, in this round
};

/// How a unit is got ready for an edit, and what has become of it.
struct Session::WarmUp {
  TranslationUnit Command;
  TextSnapshot Texts; ///< live
  std::shared_ptr<PendingUnit> Work;
  unsigned Number = 0; ///< of the generation whose texts were compiled
  unsigned Reload = 0; ///< the last one then
  std::shared_ptr<CompiledUnit> Before; ///< null: it had not been compiled
};

/// One reload from the first event to its verdict.
struct Session::Attempt {
  unsigned Id = 0;
  std::set<std::string> Files;   ///< that differ from what is live
  std::set<std::string> LeftOut; ///< those too, but they were refused before
  TextSnapshot Texts;            ///< to compile
  TextSnapshot LiveTexts;        ///< of the generation it started from
  Nanoseconds FirstEvent{0};
  Nanoseconds LastEvent{0};
  bool AnotherFile = false;
  bool Compiled = false;
  /// Waits for the program's consent.
  std::unique_ptr<Session::Prepared> Ready;
  bool CompileFailed = false;
  std::string CannotCompile; ///< of one of the units
  std::shared_ptr<CancelFlag> Cancel = std::make_shared<CancelFlag>(false);
  std::vector<Session::Reply> Waiting;
  Timings Times;
  /// How often it was compiled because a plan needed code that was not there.
  unsigned Rounds = 0;

  std::vector<UnitWork> Work;
  /// The first of Work is compiled before the others: they may follow it.
  bool HasLead = false;
  /// Units that no edit can reach: refused whatever else.
  std::vector<Verdict> Problems;
};

} // namespace hotjit

#endif
