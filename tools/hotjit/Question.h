#ifndef HOTJIT_TOOLS_HOTJIT_QUESTION_H
#define HOTJIT_TOOLS_HOTJIT_QUESTION_H

#include "Wire/Descriptor.h"
#include "Wire/Protocol.h"
#include <optional>
#include <string>
#include <vector>

namespace hotjit {

/// What `--on-refusal ask` asks at the terminal, one question at a time. The
/// terminal belongs to the program: nothing is read from it while anything but
/// this process might read what is typed. Never waits.
class Question {
public:
  Question(); ///< Opens this process's terminal, if it has one.

  /// Whether E is something to be asked about.
  static bool isAbout(const wire::Event &E);
  /// Why nobody can be asked now; empty: somebody can.
  std::string whyNot() const;

  /// Asks about E. Before: whole lines that are not on the terminal yet.
  void ask(const wire::Event &E, llvm::StringRef Before);
  bool isOpen() const { return Asked.has_value(); }
  unsigned reload() const { return Asked->Reload; }
  const std::vector<std::string> &files() const { return Asked->Files; }
  /// Nobody has answered, and nobody needs to any more; or other lines are
  /// about to be written: then askAgain() afterwards.
  void withdraw();
  void interrupt();
  void askAgain();

  /// Readable when answer() has something to do; only while it is open.
  int descriptor() const { return Terminal.get(); }
  enum class Answer { Keep, Retry, Quit };
  /// What was answered; then no question is open. What can be answered here
  /// ("explain") is.
  std::optional<Answer> answer();

private:
  struct About {
    unsigned Reload;
    std::vector<std::string> Files;
    std::vector<std::string> Codes; ///< each once
    bool IsRefused;
  };
  void write(llvm::StringRef Text);
  std::string prompt() const;

  wire::Descriptor Terminal;
  std::optional<About> Asked;
  bool IsLineOpen = false; ///< the cursor is behind a prompt
};

} // namespace hotjit

#endif
