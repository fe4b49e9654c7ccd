#ifndef HOTJIT_SESSION_SESSION_H
#define HOTJIT_SESSION_SESSION_H

#include "Patch/Fence.h"
#include "Project/CompileCommands.h"
#include "Project/Saves.h"
#include "Session/Event.h"
#include "Session/PendingUnit.h"
#include "Session/Stages.h"
#include "Support/Log.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace hotjit {

/// A translation unit of the program and what is known of its text.
struct ProjectUnit {
  TranslationUnit Unit;
  const ImageUnit *Built = nullptr; ///< null: no debug info, and a Problem
  /// Project files that it reads (not system headers): absolute, real.
  std::set<std::string> Files;
  /// Set if no edit of the unit can go live: no compile command, built twice,
  /// a file newer than the program.
  std::optional<Verdict> Problem;
  bool Closed = false; ///< the program has closed the module that it is in
  /// The program was not built from it: the compile commands list it since.
  bool Added = false;
};

/// What a look for units of the program has found.
struct FoundUnits {
  std::vector<ProjectUnit> Units;
  std::vector<std::string> Stale; ///< files newer than the program
  /// Texts that the program was built from and that are not on the disk any
  /// more, though they are known; sorted.
  std::vector<TextSnapshot::Change> Superseded;
  std::vector<std::string> Notes; ///< for people: what was found, what not
  std::string CommandsPath;       ///< of the compile commands
  std::set<std::string> Listed;   ///< every file that they have a command for
};

struct SessionOptions {
  bool Manual = false; ///< compile and commit only when asked
  /// Of the compile commands, real; empty: they never change.
  std::string CommandsPath;
  QuietPolicy Quiet;
};

/// What `hotjit status` shows.
struct SessionStatus {
  struct LiveFunction {
    std::string Name;
    std::string Symbol;
    std::string Unit; ///< path
    unsigned Generation = 0;
  };
  unsigned Generation = 0;
  unsigned Newest = 0; ///< redo leads up to this one
  bool Paused = false;
  size_t Units = 0;
  size_t MemoryBytes = 0;         ///< of new code and data
  size_t SupersededBytes = 0;     ///< of these, that no call reaches
  size_t TextBytes = 0;           ///< of kept texts
  size_t ParsedBytes = 0;         ///< of what the compiler keeps parsed
  std::vector<std::string> Ahead; ///< files newer than the live code
  std::vector<std::string> Dirty; ///< saved, but not live: refused or failed
  std::vector<LiveFunction> Functions; ///< that do not run their built body
  std::vector<std::string> Pending;    ///< functions with an old frame alive
  /// The frames that keep them so, by thread.
  struct OldFrames {
    std::string Function;
    FrameHit Hit;
    std::optional<SourcePlace> Place; ///< where the innermost goes on
  };
  std::vector<OldFrames> PendingFrames;
};

/// Owns all state of hotjit in one program and runs the passes in order.
///
/// Every member is called on one thread, the session thread, except that
/// `Post` (given by the owner) may be called from the executor's. Reload.cpp
/// is the table of contents.
class Session {
public:
  using Sink = std::function<void(const Event &)>;
  using Reply = std::function<void(const Event &)>;
  /// Nothing: go on. Else the verdict that the reload is refused with.
  using Consent = std::function<void(std::optional<Verdict>)>;

  struct Surroundings {
    const FileSystem &Files;
    const Clock &Time;
    Stages &Passes;
    /// Jobs may run side by side.
    Executor &Compiles;
    /// Of less importance: gets ready for edits that may come.
    Executor &Warms;
    Log &L;
    /// Any thread: runs the function on the session thread, later.
    std::function<void(std::function<void()>)> Post;
    /// Session thread: told each event. Must not call back into Session.
    Sink Tell;
    /// Session thread: from now on report changes of this file.
    std::function<void(const std::string &Path)> Watch;
    /// Session thread: the units of Commands that belong to the program and
    /// that it was not built from; their texts are kept in Known. May be null.
    std::function<FoundUnits(const CompileCommands &Commands, Saves &Known)>
        FindAdded;
    /// Session thread; may be null. New code is complete, and invisible: asks
    /// whether and when it may go live. Preview.Reload 0: no reload, but a
    /// value is about to be set; only when is asked. To be answered on the
    /// session thread, at once or later, at most once while Session lives. An
    /// answer for an attempt that has ended meanwhile does nothing.
    std::function<void(const Event &Preview, Consent)> Ask;
  };

  Session(SessionOptions Options, std::vector<ProjectUnit> Units, Saves Known,
          Surroundings Around);
  ~Session();

  /// Tells an event of the surroundings: Ready, Waiting.
  void announce(Event E) { tell(std::move(E)); }

  /// Compiles, in the background, what may be edited first: Units are in that
  /// order. Then those that the program runs.
  void warmUp();
  /// Somebody looks at the file in an editor: gets ready for an edit of it. A
  /// header: in one of its units. False: no unit reads it.
  bool opened(llvm::StringRef File);

  void filesChanged(const FileEvents &Events);

  /// The program runs Texts, not what the disk has. Before the first event.
  void startFrom(llvm::ArrayRef<TextSnapshot::Change> Texts);
  /// Reloads what differs from what is live, as if it were saved now.
  void catchUp();

  /// The program has loaded Module. Find looks for its units and keeps their
  /// texts. A unit that was closed is taken up again.
  void moduleLoaded(const ImageModule &Module,
                    llvm::function_ref<FoundUnits(Saves &)> Find);
  /// The program has closed Module: nothing of it is there any more.
  void moduleClosed(const ImageModule &Module);

  /// Looks at Files (all if empty) and reloads what differs from what is live,
  /// whatever the trigger. Done gets the reload's last event.
  void reload(std::vector<std::string> Files, Reply Done);

  /// Gives a variable that kept its value when its initializer was edited the
  /// initial value of the live text. Done gets an error that says why not.
  using Answer = std::function<void(llvm::Error)>;
  void reinit(llvm::StringRef Variable, Answer Done);

  llvm::Expected<Event> undo();
  llvm::Expected<Event> redo();
  /// A thread has crashed in new code, and waits. Takes back the generation
  /// that the code is of, if calls reach it. Returns what was told.
  Event crashed(const Crash &C);

  Event pause();
  Event resume();

  /// The engine is about to be turned off: what is in flight ends as failed.
  void giveUp(const std::string &Why);

  /// Looks for the frames of pending functions anew.
  SessionStatus status();
  /// What last happened to the function with this name or symbol.
  std::vector<std::pair<unsigned, Verdict>>
  history(llvm::StringRef Function) const;
  const std::deque<Event> &log() const { return Past; }

  /// When wake() wants to be called next, if at all.
  std::optional<Nanoseconds> nextWake() const;
  void wake();

private:
  struct Attempt;
  struct UnitWork;
  struct Live;
  struct Prepared;
  struct Switched;
  struct LeftBody;
  struct PendingFunction;
  struct WarmUp;

  void begin(std::vector<std::string> Changed, Nanoseconds EventTime,
             Reply Done);
  std::vector<size_t> unitsToCompile(const std::set<std::string> &Dirty) const;
  std::set<std::string> dirtyFiles() const;
  TextSnapshot textsToCompile() const;
  std::vector<std::string> savedAgain(const FileEvents &Events) const;
  void tellUnreadable();
  std::optional<FileStatus> statusOf(llvm::StringRef Path) const;
  std::string onlyEdited(const std::set<std::string> &Files, size_t Unit) const;
  void startCompiling(Attempt &A);
  void chooseLead(Attempt &A) const;
  void forEachUnit(const std::shared_ptr<Attempt> &A, size_t From,
                   std::function<void(Attempt &, UnitWork &)> Job,
                   std::function<void()> Then);
  bool followLead(Attempt &A, UnitWork &W);
  void compileNew(Attempt &A, UnitWork &W);
  void compileOld(Attempt &A, UnitWork &W);
  void endCompiling(std::shared_ptr<Attempt> A);
  void compiled(unsigned Id);
  void reportDiagnostics(Attempt &A);
  void learnFiles(Attempt &A);
  void takeUp(ProjectUnit Unit, const TextSnapshot &Built);

  // Ahead of edits, in Warming.cpp.
  void warm(size_t Unit);
  std::set<size_t> unitsThatRun(llvm::ArrayRef<size_t> Among) const;
  void warmWhatRuns();
  void putWhatRunsFirst(std::vector<size_t> &ToCompile) const;
  std::shared_ptr<WarmUp> beginWarmUp(size_t Unit);
  std::function<void()> restOf(size_t Unit, std::shared_ptr<WarmUp> W);
  void waitAhead(const WarmUp &W, std::shared_ptr<CompiledUnit> Facts);
  static void compileLive(Stages &Passes, WarmUp &W, PendingUnit::Haste Haste);
  std::function<void()> hurry(UnitWork &Of);
  void warmed(size_t Unit, const WarmUp &Done);

  // The compile commands, in Commands.cpp.
  bool commandsChanged(const FileEvents &Events);
  bool readCommands();
  void takeUpAdded(const CompileCommands &Now);
  const TranslationUnit &liveCommand(size_t Unit) const;
  const TranslationUnit &newCommand(size_t Unit) const;
  bool hasOtherCommand(size_t Unit) const;
  std::optional<Verdict> commandProblem(size_t Unit) const;
  void leaveClosed(const Attempt &A);
  Nanoseconds commitTime(const Attempt &A) const;
  bool isWrittenOn();
  void conclude();
  void conclude(std::shared_ptr<Attempt> A, Event End);

  llvm::Error setInitialValue(const ProjectUnit &Unit, CompiledUnit &Compiled,
                              llvm::StringRef Symbol);

  // What was refused does not hold up what is saved later, in LeftOut.cpp.
  void remember(const Attempt &A, const Event &End);
  std::set<std::string> savedSince(const Attempt &A) const;
  std::shared_ptr<CompiledUnit> triedBefore(const Attempt &A,
                                            const UnitWork &W) const;
  bool reads(size_t Unit, const std::string &File) const;
  std::set<std::string> together(const Attempt &A,
                                 std::set<std::string> Files) const;
  void keepOnly(Attempt &A, std::set<std::string> Files);
  std::optional<std::set<std::string>> withoutTried(const Attempt &A) const;
  void leaveOutProblems(Attempt &A);
  bool leaveOut(Attempt &A, const Event &End);
  bool failsAnew(const Attempt &A) const;
  void tellLeftOut(const Attempt &A, Event &E) const;

  // The passes of a reload, in Reload.cpp.
  std::optional<Event> run(Attempt &A);
  std::optional<Event> prepare(Attempt &A, Plan P);
  Event keepCode(Attempt &A, Plan P);
  void askProgram(const std::shared_ptr<Attempt> &A);
  Event commitReady(Attempt &A, std::optional<Verdict> Objection);
  static void abandon(Attempt &A);
  Live afterwards(const Attempt &A) const;
  bool askForCode(Attempt &A, const Plan &P);
  bool askForWhole(Attempt &A);
  void waitFor(std::vector<EntrySite> Sites,
               const std::set<std::string> &Files);
  void tryAgain();
  Event refuse(Attempt &A, std::vector<Verdict> Verdicts);
  Event fail(Attempt &A, std::string Stage, std::string Message);
  std::optional<Verdict> problemOf(size_t Unit) const;
  std::vector<Verdict> problemsOf(const Attempt &A) const;
  std::vector<Verdict> otherHeadersOf(const Attempt &A) const;
  void adopt(const Plan &P, const StagedGeneration &Staged, Live &Next) const;

  // Frames of bodies that calls do not reach any more, in Frames.cpp.
  const ProjectUnit *unitOf(llvm::StringRef Id) const;
  std::vector<LeftBody> bodiesOf(const std::vector<Switched> &Functions) const;
  void forgetCurrent(LeftBody &Body) const;
  std::vector<std::string> lookAtStacks(std::vector<LeftBody> Left);
  void findFrames(std::vector<PendingFunction> &Functions) const;
  static void markPending(Verdict &V, const std::string &Where);
  void lookAgain(Nanoseconds After);
  void finish(Event E);
  void tell(Event E);
  Event stepped(Event::Kind What, unsigned Generation,
                std::vector<LeftBody> Left);
  void watchPending();

  SessionOptions Options;
  std::vector<ProjectUnit> Units;
  Saves Known; ///< the files as they are on the disk
  /// The commands that the build has by now, of the units that were built with
  /// another; by id.
  std::map<std::string, TranslationUnit> OtherCommands;
  Surroundings Around;

  std::vector<Live> Generations; ///< what is live in each, 0 is the program
  size_t Current = 0;            ///< index into Generations
  /// Undone: on the disk, not live; as they were then.
  std::map<std::string, std::optional<FileStatus>> Ahead;
  std::shared_ptr<Attempt> InFlight;
  /// Units whose live text is being compiled, by index into Units.
  std::map<size_t, std::shared_ptr<WarmUp>> Warming;
  /// Code that the last edit of a unit needed besides what was edited.
  std::map<size_t, std::set<std::string>> LastNeeded;
  unsigned LastReload = 0;
  bool Paused = false;
  std::deque<Event> Past;

  /// A text that an attempt ended with, refused or failed.
  struct TriedText {
    std::shared_ptr<const SourceText> Text; ///< null: the compile commands
    unsigned Reload = 0;
  };
  std::map<std::string, TriedText> Tried;
  /// What such attempts compiled, by index into Units.
  struct TriedUnit {
    std::shared_ptr<CompiledUnit> Old, New;
    TranslationUnit Command;
    TextSnapshot Texts;
  };
  std::map<size_t, TriedUnit> TriedWork;

  /// A reload that could not arm its entries yet.
  struct Waiting {
    std::vector<EntrySite> Sites;
    std::vector<std::string> Files;
    Nanoseconds Next{0}; ///< when to look
    Nanoseconds Interval{0};
  };
  std::optional<Waiting> Waits;
  Nanoseconds TriedAgain{0}; ///< how long it had waited, if it is tried again

  std::vector<PendingFunction> Pending;
  std::optional<Nanoseconds> NextPendingLook;
  Nanoseconds PendingInterval{0};
};

} // namespace hotjit

#endif
