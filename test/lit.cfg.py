# The text and live suites (plan, reload, refuse, edits, ide, cli, debug,
# package, programs). test/README.md says what each one asks.
#
# The reload suite runs in several modes: the parameters opt, pie, link, cxx
# and entry decide how %{build} builds the program under test. The tests do not
# know which mode they run in. scripts/check runs a bounded set of modes.

import ctypes
import os
import shlex
import subprocess

import lit.formats

config.name = "hotjit"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".test"]
config.excludes = ["Inputs", "unit", "tools", "bench", "stress", "fuzz"]
config.test_source_root = os.path.dirname(__file__)

modes = {
    "opt": ("O0", "O2"),
    "pie": ("yes", "no"),
    "link": ("static", "shared"),
    "cxx": ("clang", "gcc"),
    "entry": ("patchable", "plain"),
}
mode = {}
for name, values in modes.items():
    mode[name] = lit_config.params.get(name, values[0])
    if mode[name] not in values:
        lit_config.fatal("%s=%s: one of %s" % (name, mode[name],
                                               ", ".join(values)))
    config.available_features.add("%s=%s" % (name, mode[name]))

# Each mode has its own folder of built programs, so that modes can run beside
# each other.
config.test_exec_root = os.path.join(
    config.hotjit_build, "test",
    "-".join(mode[name] for name in ("cxx", "opt", "entry", "pie", "link")))


def python_tool(path, *arguments):
    words = [config.python, os.path.join(config.hotjit_source, path)]
    return " ".join(shlex.quote(word) for word in words + list(arguments))


def built_tool(name):
    return shlex.quote(os.path.join(config.hotjit_build, "bin", name))


# Seconds that a session may take.
deadline = lit_config.params.get("deadline", "200")

compilers = {
    "clang": (config.clang, config.clangxx),
    "gcc": ("gcc", "g++"),
}[mode["cxx"]]
config.substitutions += [
    ("%{build}", python_tool(
        "test/tools/build-program", "--cc=" + compilers[0],
        "--cxx=" + compilers[1],
        "--include=" + os.path.join(config.hotjit_source, "test", "Inputs"),
        *("--%s=%s" % (name, mode[name])
          for name in ("opt", "pie", "link", "entry")))),
    ("%{drive}", python_tool(
        "test/tools/hotjit-drive/hotjit-drive",
        "--bin=" + os.path.join(config.hotjit_build, "bin"),
        "--deadline=" + deadline,
        *(["--check-compile"] if "check" in lit_config.params else []))),
    ("%{deadline}", deadline),
    ("%{hotjit}", built_tool("hotjit")),
    ("%{plan}", built_tool("hotjit-plan")),
    ("%{image}", built_tool("hotjit-image")),
    ("%{bytes}", built_tool("hotjit-bytes")),
    ("%{python}", shlex.quote(config.python)),
    ("%{llvm}", shlex.quote(config.llvm)),
    ("%{source}", config.hotjit_source),
    ("%{lua}", os.path.join(config.hotjit_build, "programs", "lua")),
    ("%{btop}", os.path.join(config.hotjit_build, "programs", "btop")),
    ("%{libcxx}", os.path.join(config.hotjit_build, "programs", "libcxx")),
    ("%{redis}", os.path.join(config.hotjit_build, "programs", "redis")),
    ("%{leveldb}", os.path.join(config.hotjit_build, "programs", "leveldb")),
    ("%{redis-edits}", lit_config.params.get("redis-edits", "30")),
    ("%{bindir}", os.path.join(config.hotjit_build, "bin")),
    ("%{libdir}", os.path.join(config.hotjit_build, "lib")),
    ("%{builddir}", config.hotjit_build),
    ("%{libfolder}", config.hotjit_libfolder),
    ("%{cc}", compilers[0]),
    ("%{cxx}", compilers[1]),
    ("%{clang}", config.clang),
    ("%{clangxx}", config.clangxx),
]

# FileCheck, not, split-file, count of the LLVM that hotjit is built with.
config.environment["PATH"] = os.pathsep.join(
    [config.llvm_tools, os.environ.get("PATH", "")])
config.environment["LC_ALL"] = "C"
for name in list(config.environment):
    if name.startswith("HOTJIT"):
        del config.environment[name]
config.environment["NO_COLOR"] = "1"
# What hotjit keeps from one start to the next is not the user's.
config.environment["XDG_CACHE_HOME"] = os.path.join(config.test_exec_root,
                                                    "cache")

# A limit of the system can be lowered for the test alone.
if subprocess.run(["unshare", "--user", "--map-root-user", "true"],
                  stdout=subprocess.DEVNULL,
                  stderr=subprocess.DEVNULL).returncode == 0:
    config.available_features.add("user-namespace")

# What is compiled in part is compiled whole too, and must be the same.
if "check" in lit_config.params:
    config.available_features.add("check-compile")

# PR_GET_MDWE (prctl(2)): the kernel can deny a process new code, since Linux 6.3.
if ctypes.CDLL(None).prctl(66, 0, 0, 0, 0) >= 0:
    config.available_features.add("deny-write-exec")

# The slow suite downloads and builds programs: only when asked for.
for slow in ("programs", "long"):
    if slow in lit_config.params:
        config.available_features.add(slow)

# The only clock of the tests: what hangs is ended here.
supported, _ = lit.util.killProcessAndChildrenIsSupported()
if supported:
    lit_config.maxIndividualTestTime = int(deadline) + 100
