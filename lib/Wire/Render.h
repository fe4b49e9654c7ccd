#ifndef HOTJIT_WIRE_RENDER_H
#define HOTJIT_WIRE_RENDER_H

#include "Wire/Protocol.h"
#include <map>
#include <string>
#include <vector>

namespace hotjit::wire {

struct RenderOptions {
  bool Color = false;
  /// Also what is of use only when one wonders: what changed, superseded
  /// reloads, all phases.
  bool Verbose = false;
};

/// Makes events into the lines that users see:
///
///   [hotjit] #1 live: lstrlib.c: str_upper in 24 ms (parse 15, ...)
///
/// Remembers the diagnostics of a reload until its verdict, below which they
/// are shown; those that come later are shown at once. Control characters that
/// come in with names and messages are replaced, so that nothing steers the
/// terminal.
class Renderer {
public:
  explicit Renderer(RenderOptions Options) : Options(Options) {}

  /// Whole lines with their ends; empty if the event is not shown (yet).
  std::string render(const Event &E);

private:
  RenderOptions Options;
  std::map<unsigned, std::string> Diagnostics; ///< by reload
  unsigned LastEnded = 0;                      ///< reload
};

/// Names as people write them: "std::string" for what it is an alias of,
/// without tags of the library's ABI.
std::string asWritten(std::string Text);

/// "24 ms", "0.01 ms" without the unit.
std::string renderMilliseconds(double Ms);

} // namespace hotjit::wire

#endif
