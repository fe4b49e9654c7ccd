// hotjit reload [FILE...]: makes what was saved live now, waits for the verdict
// and prints it. The exit status says it to scripts.

#include "Commands.h"
#include "Support/FmtSupport.h"
#include "Wire/Render.h"
#include "llvm/Support/FileSystem.h"

using namespace hotjit;
using namespace llvm;

namespace {
enum ReloadStatus {
  ReloadDone = 0, ///< reloaded or unchanged, with notes and pending functions
  ReloadRefused = 1,
  ReloadFailed = 2,
  ReloadPartial = 3,
};
} // namespace

static int statusOf(const wire::Event &E) {
  if (E.What == wire::Event::Kind::Refused)
    return ReloadRefused;
  if (E.What == wire::Event::Kind::Unchanged)
    return ReloadDone;
  if (E.What != wire::Event::Kind::Reloaded)
    return ReloadFailed;
  bool Partial = llvm::any_of(E.Verdicts, [](const wire::Verdict &V) {
    return V.Kind == wire::VerdictKind::Partial ||
           V.Kind == wire::VerdictKind::Held;
  });
  return Partial ? ReloadPartial : ReloadDone;
}

/// The program knows its files by absolute paths without symbolic links.
static std::string realPath(StringRef Path) {
  SmallString<256> Real;
  if (!sys::fs::real_path(Path, Real))
    return Real.str().str();
  SmallString<256> Absolute(Path);
  (void)sys::fs::make_absolute(Absolute);
  return Absolute.str().str();
}

int hotjit::reloadCommand(const CommandLine::Parsed &Line) {
  wire::RenderOptions Render;
  Render.Color = colorOnStdout();
  wire::Renderer Lines(Render);
  // The compiler's messages come as events before the answer, which they
  // belong to.
  Expected<std::unique_ptr<wire::Client>> C =
      connect(Line, [&](const wire::Event &E) {
        if (E.What == wire::Event::Kind::Diagnostics)
          (void)Lines.render(E);
      });
  if (!C)
    return report(C.takeError());
  wire::ReloadParams Params;
  for (const std::string &File : Line.Words)
    Params.Files.push_back(realPath(File));
  Expected<wire::Event> E =
      (*C)->askFor<wire::Event>(wire::method::Reload, toJSON(Params));
  if (!E) {
    int Status = report(E.takeError());
    return Status == ExitNoSuchProgram ? Status : ReloadFailed;
  }
  outs() << Lines.render(*E);
  return statusOf(*E);
}
