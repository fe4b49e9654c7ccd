// Plugins come and go while the program runs.
//
// One that comes is what the program was at its start: its units are found, and
// the texts on the disk are what it was built from, unless they are newer; then
// an earlier start may have kept those (TextArchive). One
// that goes takes its code along; but only if no edit of it ever went live, for
// from then on it is held (Stages::hold). So there is nothing to take back: its
// units are as they were built, and wait for it to be opened again, perhaps in
// another build.

#include "Session/State.h"
#include "llvm/ADT/STLExtras.h"

using namespace hotjit;
using namespace llvm;

/// What Unit reads is live now as it was built, in every generation. What other
/// units run of these files they run as before: then the two differ, and Unit
/// cannot be compared with what is live.
static std::optional<std::string> otherLiveText(const ProjectUnit &Unit,
                                                const TextSnapshot &Built,
                                                const TextSnapshot &IsLive,
                                                ArrayRef<ProjectUnit> Units) {
  for (const std::string &File : Unit.Files) {
    std::shared_ptr<const SourceText> Mine = Built.find(File);
    std::shared_ptr<const SourceText> Theirs = IsLive.find(File);
    if (!Mine || !Theirs || Mine->hash() == Theirs->hash())
      continue;
    if (any_of(Units, [&](const ProjectUnit &U) {
          return !U.Closed && U.Unit.id() != Unit.Unit.id() &&
                 U.Files.count(File);
        }))
      return File;
  }
  return std::nullopt;
}

static Verdict problem(const ProjectUnit &Unit, Reason Code,
                       std::string Message) {
  Verdict V = notLoaded(Unit.Unit.Path);
  V.Code = Code;
  V.Message = std::move(Message);
  return V;
}

void Session::takeUp(ProjectUnit Unit, const TextSnapshot &Built) {
  if (std::optional<std::string> File =
          otherLiveText(Unit, Built, Generations[Current].Texts, Units);
      File && !Unit.Problem)
    Unit.Problem =
        problem(Unit, Reason::StaleSource,
                *File + " has a text that is not live in other files "
                        "of the program; save it to take it up there, "
                        "then open the library again");
  if (!Unit.Problem)
    for (Live &G : Generations) {
      std::vector<TextSnapshot::Change> Texts;
      for (const std::string &File : Unit.Files)
        Texts.push_back({File, Built.find(File)});
      G.Texts = G.Texts.with(Texts);
      G.Compiled.erase(Unit.Unit.id());
    }
  for (const std::string &File : Unit.Files)
    Around.Watch(File);
  auto Known = find_if(Units, [&](const ProjectUnit &U) {
    return U.Unit.id() == Unit.Unit.id();
  });
  if (Known == Units.end()) {
    Units.push_back(std::move(Unit));
  } else if (Known->Closed) {
    *Known = std::move(Unit);
  } else {
    Known->Problem =
        problem(*Known, Reason::BuiltTwice,
                "the program has loaded the library that it is in twice; "
                "reloading both copies is not supported yet");
  }
}

void Session::moduleLoaded(const ImageModule &Module,
                           function_ref<FoundUnits(Saves &)> Find) {
  FoundUnits Found = Find(Known);
  if (Found.Units.empty())
    return;
  Event E;
  E.What = Event::Kind::Loaded;
  E.Files = {Module.Path};
  E.Units = Found.Units.size();
  E.Stale = std::move(Found.Stale);
  E.Notes = std::move(Found.Notes);
  TextSnapshot Built = Known.texts().with(Found.Superseded);
  for (ProjectUnit &Unit : Found.Units)
    takeUp(std::move(Unit), Built);
  tell(std::move(E));
  if (!Found.Superseded.empty())
    catchUp();
}

void Session::moduleClosed(const ImageModule &Module) {
  size_t Count = 0;
  for (size_t I = 0; I != Units.size(); ++I) {
    ProjectUnit &U = Units[I];
    if (U.Closed || !U.Built || U.Built->Module != Module.Index)
      continue;
    ++Count;
    U.Closed = true;
    U.Problem = notLoaded(U.Unit.Path);
    Warming.erase(I);
    LastNeeded.erase(I);
    for (Live &G : Generations)
      G.Compiled.erase(U.Unit.id());
  }
  if (Count == 0)
    return;
  Event E;
  E.What = Event::Kind::Unloaded;
  E.Files = {Module.Path};
  E.Units = Count;
  tell(std::move(E));
}

/// Of an edit that is refused because all that reads the file is closed:
/// nothing live differs from it, and later edits of other files must not be
/// held up by it.
void Session::leaveClosed(const Attempt &A) {
  for (const std::string &File : A.Files) {
    bool IsRead = false, IsOnlyClosed = true;
    for (const ProjectUnit &U : Units)
      if (U.Unit.Path == File || U.Files.count(File)) {
        IsRead = true;
        IsOnlyClosed &= U.Closed;
      }
    if (IsRead && IsOnlyClosed)
      for (Live &G : Generations)
        G.Texts = G.Texts.with(File, A.Texts.find(File));
  }
}
