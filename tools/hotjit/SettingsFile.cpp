// .hotjit.yaml: one mapping from option names to scalars, or to lists where an
// option may be given several times.
//
//   build-dir: build
//   exclude: [third_party/*, "*.pb.cc"]

#include "Settings.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/YAMLParser.h"

using namespace hotjit;
using namespace llvm;

namespace {

/// Reads one file; collects the first message.
class Reader {
public:
  Reader(StringRef Text, StringRef Path)
      : Folder(sys::path::parent_path(Path)), Stream(Text, Messages) {
    Messages.setDiagHandler(
        [](const SMDiagnostic &D, void *Context) {
          auto *R = static_cast<Reader *>(Context);
          if (R->Message.empty())
            R->Message = fmt::format("{}: {}", D.getLineNo(), D.getMessage());
        },
        this);
  }

  Expected<Settings> read(StringRef Path) {
    yaml::document_iterator Document = Stream.begin();
    yaml::Node *Root = Document != Stream.end() ? Document->getRoot() : nullptr;
    if (Root && !isa<yaml::NullNode>(Root))
      readMapping(*Root);
    if (!Stream.failed() && Message.empty())
      return std::move(Result);
    return makeError("{}:{}", Path, Message.empty() ? " not YAML" : Message);
  }

private:
  void fail(yaml::Node &Where, const Twine &Text) {
    Stream.printError(&Where, Text);
  }

  void readMapping(yaml::Node &Root) {
    auto *Mapping = dyn_cast<yaml::MappingNode>(&Root);
    if (!Mapping)
      return fail(Root, "expected 'option: value'");
    for (yaml::KeyValueNode &Entry : *Mapping) {
      auto *Key = dyn_cast_or_null<yaml::ScalarNode>(Entry.getKey());
      if (!Key || !Entry.getValue())
        return fail(Entry, "expected 'option: value'");
      SmallString<32> Storage;
      readValue(Key->getValue(Storage).str(), *Key, *Entry.getValue());
      if (!Message.empty())
        return;
    }
  }

  void readValue(const std::string &Name, yaml::Node &Key, yaml::Node &Value) {
    auto *List = dyn_cast<yaml::SequenceNode>(&Value);
    if (!List)
      return readScalar(Name, Key, Value);
    for (const SettingSpec &S : settingSpecs())
      if (S.Name == Name && S.Kind != SettingKind::Globs)
        return fail(Value, Name + ": only one value is possible");
    for (yaml::Node &Item : *List)
      readScalar(Name, Key, Item);
  }

  void readScalar(const std::string &Name, yaml::Node &Key, yaml::Node &Value) {
    auto *Scalar = dyn_cast<yaml::ScalarNode>(&Value);
    if (!Scalar)
      return fail(Key, Name + ": expected a value");
    SmallString<64> Storage;
    if (Error E = Result.set(Name, Scalar->getValue(Storage), Folder))
      fail(Key, toString(std::move(E)));
  }

  StringRef Folder;
  SourceMgr Messages;
  yaml::Stream Stream;
  std::string Message;
  Settings Result;
};

} // namespace

Expected<Settings> hotjit::settingsOfFile(StringRef Text, StringRef Path) {
  return Reader(Text, Path).read(Path);
}
