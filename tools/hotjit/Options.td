// The command line of hotjit. What each option of `run` means, and its variable
// and key, is in Settings.cpp; a test compares the two lists.
include "llvm/Option/OptParser.td"

def RunCommand : SubCommand<"run", "start a program with hotjit inside",
  "hotjit run [options] [--] PROGRAM [ARGS...]">;
def StatusCommand : SubCommand<"status", "what is live, what waits",
  "hotjit status [options]">;
def LogCommand : SubCommand<"log", "what happened since the start",
  "hotjit log [options]">;
def FunctionsCommand : SubCommand<"functions",
  "functions that do not run the body they were built with",
  "hotjit functions [options]">;
def ReloadCommand : SubCommand<"reload",
  "make saved files live now and print the verdicts",
  "hotjit reload [options] [FILE...]">;
def UndoCommand : SubCommand<"undo", "go back one generation",
  "hotjit undo [options]">;
def RedoCommand : SubCommand<"redo", "go forward one generation",
  "hotjit redo [options]">;
def PauseCommand : SubCommand<"pause", "let saves wait",
  "hotjit pause [options]">;
def ResumeCommand : SubCommand<"resume", "make waiting saves live",
  "hotjit resume [options]">;
def ReinitCommand : SubCommand<"reinit",
  "apply an edited initializer to a variable that kept its value",
  "hotjit reinit [options] VARIABLE">;
def ExplainCommand : SubCommand<"explain",
  "what a code means, or what happened to a function",
  "hotjit explain [options] HJ1xxx | FUNCTION">;
def DoctorCommand : SubCommand<"doctor",
  "can a program be reloaded, which functions not, and what to do about it",
  "hotjit doctor [options] [PROGRAM]">;
def InitCommand : SubCommand<"init",
  "write a .hotjit.yaml (not in this version)", "hotjit init">;

defvar All = [RunCommand, StatusCommand, LogCommand, FunctionsCommand,
              ReloadCommand, UndoCommand, RedoCommand, PauseCommand,
              ResumeCommand, ReinitCommand, ExplainCommand, DoctorCommand,
              InitCommand];
defvar Run = [RunCommand];
defvar Clients = [StatusCommand, LogCommand, FunctionsCommand, ReloadCommand,
                  UndoCommand, RedoCommand, PauseCommand, ResumeCommand,
                  ReinitCommand, ExplainCommand];

multiclass Value<string name, string meta, string help,
                 list<SubCommand> commands> {
  def NAME : Separate<["--"], name, commands>, MetaVarName<meta>,
             HelpText<help>;
  def NAME # _eq : Joined<["--"], name # "=", commands>,
                   Alias<!cast<Option>(NAME)>;
}

def help : Flag<["--"], "help", All>, HelpText<"print this and exit">;
def h : Flag<["-"], "h", All>, Alias<help>;
def version : Flag<["--"], "version", All>,
              HelpText<"print the version and exit">;

defm build_dir : Value<"build-dir", "DIR",
  "where compile_commands.json is; default: found from the program's debug "
  "info, its folder, its parents", [RunCommand, DoctorCommand]>;
defm trigger : Value<"trigger", "save|manual",
  "reload at each save (default), or only at 'hotjit reload'", Run>;
defm on_refusal : Value<"on-refusal", "keep|ask",
  "what to do when an edit is refused: keep the old code (default), or ask at "
  "the terminal; 'restart' is not in this version", Run>;
defm events : Value<"events", "FILE",
  "write the event stream as JSON lines; '-' is stderr, and quiet", Run>;
defm log : Value<"log", "FILE",
  "append what is printed to FILE at once; with --verbose the engine's own log "
  "too", Run>;
defm color : Value<"color", "auto|always|never",
  "default: auto, on a terminal and without NO_COLOR", Run>;
def quiet : Flag<["--"], "quiet", Run>, HelpText<"print no lines">;
def verbose : Flag<["--"], "verbose", [RunCommand, DoctorCommand]>,
              HelpText<"print more: changes, superseded reloads, all phases; "
                       "doctor: every unit and function">;
defm include_glob : Value<"include", "GLOB",
  "reload only files that match; may be repeated", Run>;
defm exclude_glob : Value<"exclude", "GLOB",
  "never reload files that match; may be repeated", Run>;
defm debounce : Value<"debounce", "MS",
  "how long a commit waits for more saves, when more may come (default 20)",
  Run>;
defm fence : Value<"fence", "on|off",
  "a crash of new code is reported, with a backtrace, and takes it back (default: "
  "on)", Run>;
defm cache_memory : Value<"cache-memory", "MB",
  "limit of parsed headers that are kept (default: a quarter of the memory that "
  "is free at start)", Run>;
defm compile_limit : Value<"compile-limit", "SECONDS",
  "stop compiling one file after this long (default 300)", Run>;
defm compile_memory : Value<"compile-memory", "MB",
  "stop compiling one file when the process has grown by this much (default: "
  "half of the memory that is free)", Run>;
def check_compile : Flag<["--"], "check-compile", Run>,
  HelpText<"compile the whole unit beside its edited bodies, and fail if they "
           "differ: for finding defects of hotjit">;

defm socket : Value<"socket", "PATH",
  "where the program listens",
  !listconcat(Run, Clients, [DoctorCommand])>;
defm pid : Value<"pid", "N",
  "the program to talk to; not needed if only one runs",
  !listconcat(Clients, [DoctorCommand])>;
def json : Flag<["--"], "json",
                [StatusCommand, LogCommand, FunctionsCommand, ExplainCommand,
                 DoctorCommand]>,
           HelpText<"print JSON">;
