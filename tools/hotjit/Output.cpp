// The launcher's stderr is the program's too: its flags must stay as they are,
// so it cannot be made non-blocking. Instead: ask poll(2), and write so little
// that a descriptor that is ready takes it (PIPE_BUF for pipes).

#include "Output.h"
#include <cerrno>
#include <climits>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

using namespace hotjit;
using namespace llvm;

Output::Output(int Descriptor)
    : Descriptor(Descriptor), IsTerminal(::isatty(Descriptor)) {}

bool Output::isHeld() const {
  termios Mode;
  return IsTerminal && ::tcgetattr(Descriptor, &Mode) == 0 &&
         !(Mode.c_lflag & ICANON);
}

static bool isWritable(int Descriptor) {
  pollfd P = {Descriptor, POLLOUT, 0};
  return ::poll(&P, 1, 0) > 0;
}

/// Whole lines up to Limit bytes, or a part of a line that is longer.
static size_t chunkOf(StringRef Text, size_t Limit) {
  if (Text.size() <= Limit)
    return Text.size();
  size_t End = Text.take_front(Limit).rfind('\n');
  return End == StringRef::npos ? Limit : End + 1;
}

void Output::flush() {
  while (wantsToWrite() && isWritable(Descriptor)) {
    ssize_t Size =
        ::write(Descriptor, Waiting.data(), chunkOf(Waiting, PIPE_BUF));
    if (Size > 0)
      Waiting.erase(0, Size);
    else if (errno != EINTR && errno != EAGAIN)
      Waiting.clear(); // nobody will ever read it
    else
      return;
  }
}

void Output::finish() {
  while (!Waiting.empty()) {
    ssize_t Size = ::write(Descriptor, Waiting.data(), Waiting.size());
    if (Size > 0)
      Waiting.erase(0, Size);
    else if (errno != EINTR)
      return;
  }
}
