// From events to changes. An event says that somebody touched a name; whether
// anything is different is known only after a look at the text. All editors'
// habits meet here: a save without a change, a touch, a file that is gone for a
// moment, the same save told three times, git that goes there and back.
//
// What must stay true: the known text of a file is the last one that was read
// whole, and a text that was not read (the file was gone, or just written) is
// read at the next opportunity. So the last text always wins.

#include "Project/Saves.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <utility>

namespace hotjit {

using llvm::StringRef;

Nanoseconds QuietPolicy::commitAt(Nanoseconds FirstEvent, Nanoseconds LastEvent,
                                  bool AnotherFileWithin,
                                  bool Incomplete) const {
  if (!AnotherFileWithin && !Incomplete)
    return LastEvent;
  return std::min(LastEvent + Quiet, FirstEvent + Max);
}

llvm::Error Saves::keep(StringRef Path) {
  llvm::Expected<std::string> Text = FS.read(Path);
  if (!Text)
    return Text.takeError();
  Known = Known.with(Path, SourceText::createPacked(std::move(*Text)));
  LookAgain.erase(Path.str());
  return llvm::Error::success();
}

llvm::Error Saves::keepAll(const std::set<std::string> &Paths) {
  llvm::Error Problems = llvm::Error::success();
  std::vector<TextSnapshot::Change> Changes;
  for (const std::string &Path : Paths) {
    llvm::Expected<std::string> Text = FS.read(Path);
    if (!Text) {
      Problems = llvm::joinErrors(std::move(Problems), Text.takeError());
      continue;
    }
    Changes.emplace_back(Path, SourceText::createPacked(std::move(*Text)));
    LookAgain.erase(Path);
  }
  Known = Known.with(Changes);
  return Problems;
}

std::map<std::string, Nanoseconds> Saves::filesOf(const FileEvents &Events) {
  // What was missed before keeps the time of its own event: the clock of a
  // change starts at the save.
  std::map<std::string, Nanoseconds> Files = std::exchange(LookAgain, {});
  Nanoseconds Time = Events.Time == Nanoseconds(0) ? C.now() : Events.Time;
  if (Events.Rescan)
    for (const auto &Entry : Known.files())
      Files.try_emplace(Entry.getKey().str(), Time);
  for (const std::string &Path : Events.Paths)
    if (Known.find(Path))
      Files.try_emplace(Path, Time);
  return Files;
}

/// Empty: the file is gone, or written to. Between two steps of an editor's
/// save that is so.
static std::string whyUnreadable(llvm::Error E) {
  std::string Why;
  llvm::handleAllErrors(std::move(E), [&](const llvm::StringError &S) {
    std::error_code Code = S.convertToErrorCode();
    if (Code != llvm::inconvertibleErrorCode() &&
        Code != std::errc::no_such_file_or_directory &&
        Code != std::errc::not_a_directory)
      Why = S.getMessage();
  });
  return Why;
}

std::map<std::string, std::string> Saves::takeUnreadable() {
  return std::exchange(Unreadable, {});
}

std::optional<ChangeSet> Saves::apply(const FileEvents &Events) {
  std::vector<TextSnapshot::Change> Changes;
  std::optional<Nanoseconds> First;
  for (const auto &[Path, Time] : filesOf(Events)) {
    llvm::Expected<std::string> Text = FS.read(Path);
    if (!Text) {
      std::string Why = whyUnreadable(Text.takeError());
      if (!Why.empty() && KnownUnreadable.insert(Path).second)
        Unreadable[Path] = std::move(Why);
      LookAgain.emplace(Path, Time);
      continue;
    }
    KnownUnreadable.erase(Path);
    std::shared_ptr<const SourceText> Now =
        SourceText::create(std::move(*Text));
    if (Now->hash() == Known.find(Path)->hash())
      continue;
    Changes.emplace_back(Path, std::move(Now));
    First = std::min(First.value_or(Time), Time);
  }
  if (Changes.empty())
    return std::nullopt;
  Known = Known.with(Changes);
  ChangeSet Result;
  for (const TextSnapshot::Change &Change : Changes)
    Result.Files.push_back(Change.first); // Sorted: from a map.
  Result.Texts = Known;
  Result.Time = *First;
  return Result;
}

} // namespace hotjit
