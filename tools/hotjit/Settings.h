#ifndef HOTJIT_TOOLS_HOTJIT_SETTINGS_H
#define HOTJIT_TOOLS_HOTJIT_SETTINGS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Option/ArgList.h"
#include "llvm/Support/Error.h"
#include <optional>
#include <string>
#include <vector>

namespace hotjit {

enum class SettingKind {
  Folder,
  File,
  FileOrDash, ///< "-" is stderr
  Word,       ///< one of Words
  Flag,       ///< --name; name: true; HOTJIT_NAME=1
  Number,
  Globs, ///< may be given several times
};

/// One option of `run`: `--build-dir`, the key `build-dir`, HOTJIT_BUILD_DIR.
struct SettingSpec {
  llvm::StringLiteral Name;
  SettingKind Kind;
  /// For Word: those that work, and those that are not in this version.
  std::vector<llvm::StringRef> Words = {};
  std::vector<llvm::StringRef> Unbuilt = {};
  bool InProgram = true; ///< the agent must know; others are the launcher's
};

/// All of them.
llvm::ArrayRef<SettingSpec> settingSpecs();
std::string variableOf(const SettingSpec &S); ///< "HOTJIT_BUILD_DIR"

/// Values from one place, checked. Paths are absolute.
class Settings {
public:
  /// Sets a value. Relative paths are taken from Folder. Error: no such name
  /// (with the nearest), a value that is none, one that is not in this version;
  /// does not say where it came from.
  llvm::Error set(llvm::StringRef Name, llvm::StringRef Value,
                  llvm::StringRef Folder);

  /// The value; the last if it was given several times.
  std::optional<llvm::StringRef> get(llvm::StringRef Name) const;
  bool isOn(llvm::StringRef Flag) const;
  const std::vector<std::string> &all(llvm::StringRef Name) const;

  /// Values of Stronger win: each name is taken from one place as a whole.
  void override(const Settings &Stronger);

  /// HOTJIT_NAME=value for those that the agent must know.
  std::vector<std::string> environment() const;

private:
  llvm::StringMap<std::vector<std::string>> Values;
};

/// The options of a command line; Folder is the working folder.
llvm::Expected<Settings>
settingsOfCommandLine(const llvm::opt::InputArgList &Options,
                      llvm::StringRef Folder);

/// The HOTJIT_* variables in Environment (NAME=value, ended by a null pointer).
llvm::Expected<Settings> settingsOfEnvironment(const char *const *Environment,
                                               llvm::StringRef Folder);

/// The text of a .hotjit.yaml; Path is for messages and relative values.
llvm::Expected<Settings> settingsOfFile(llvm::StringRef Text,
                                        llvm::StringRef Path);

/// The .hotjit.yaml in Folder or the nearest parent that has one; empty if
/// none. Error: it belongs to another user, who could make hotjit write files.
llvm::Expected<std::string> findSettingsFile(llvm::StringRef Folder);

} // namespace hotjit

#endif
