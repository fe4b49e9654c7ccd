// Editors save in several steps: a lock, a backup, a temporary file, a rename.
// What they create on the way lies in the project's folders and is no part of
// the project. The names are conventions; each has its editor beside it.
//
// A name is listed only if no source file could have it. Others ("sedXXXXXX")
// pass: nobody keeps such a file, so its event leads to nothing, while a source
// that is taken for an editor's file would never be reloaded, in silence.

#include "Project/Watcher.h"

#include "llvm/ADT/StringRef.h"

namespace hotjit {

using llvm::StringRef;

// Vim asks whether it may create files in a folder by creating "4913", or if
// there is one, the name 123 higher, and so on.
static bool isVimProbe(StringRef Name) {
  constexpr unsigned First = 4913, Step = 123, Tries = 20;
  unsigned Number = 0;
  return !Name.getAsInteger(10, Number) && Number >= First &&
         (Number - First) % Step == 0 && (Number - First) / Step < Tries;
}

bool isEditorTemporary(StringRef Name) {
  return Name.empty() || Name == "." || Name == ".." ||
         Name.ends_with("~") ||    // backups: vim, emacs, gedit, kate, patch
         Name.starts_with(".#") || // emacs: lock, a link that dangles
         (Name.starts_with("#") && Name.ends_with("#")) || // emacs: auto-save
         Name.ends_with(".swp") || // vim: swap files, of several instances
         Name.ends_with(".swo") || Name.ends_with(".swn") ||
         Name.ends_with(".swx") || Name.ends_with(".swpx") ||
         Name.ends_with("___jb_tmp___") || // JetBrains: safe write
         Name.ends_with("___jb_old___") || Name.ends_with("___jb_bak___") ||
         Name.starts_with(".goutputstream-") || // GLib: gedit, gnome-builder
         Name.starts_with(".~lock.") || Name.ends_with(".kate-swp") || // kate
         Name.starts_with(".nfs") || // NFS: deleted while somebody has it open
         Name.starts_with(".fuse_hidden") ||                  // FUSE: the same
         Name.ends_with(".orig") || Name.ends_with(".rej") || // patch
         isVimProbe(Name);
}

} // namespace hotjit
